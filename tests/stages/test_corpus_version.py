"""What a view counts as, as a corpus."""

from pathlib import Path

from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.input import InputConfig


def test_a_view_counts_with_its_query_and_the_views_behind_it(spark, tmp_path: Path):
    spark.range(9).selectExpr("cast(id as string) AS text", "id").write.parquet(str(tmp_path / "table"))
    config = InputConfig(table="outer_view")

    def version(inner: str, outer: str = "SELECT text FROM inner_view") -> str:
        spark.sql(f"CREATE OR REPLACE TEMP VIEW inner_view AS {inner}")
        spark.sql(f"CREATE OR REPLACE TEMP VIEW outer_view AS {outer}")
        return corpus_version(config, lambda: spark)

    table = f"parquet.`{tmp_path}/table`"
    first = version(f"SELECT text, id FROM {table} WHERE id > 3")
    assert version(f"SELECT text, id FROM {table} WHERE id > 3") == first
    others = [
        version(f"SELECT text, id FROM {table} WHERE id > 4"),
        version(f"SELECT text, id FROM {table} WHERE id > 3", "SELECT upper(text) AS text FROM inner_view"),
        version(f"SELECT text, id FROM {table} WHERE id > 3 AND id < unix_date(current_date())"),
    ]
    assert len({first, *others}) == 4
    random = f"SELECT text, id FROM {table} WHERE rand() < 0.5"
    assert version(random) != version(random), "no two readings of such a view are the same"
    spark.range(9, 12).selectExpr("cast(id as string) AS text", "id").write.mode("append").parquet(f"{tmp_path}/table")
    spark.catalog.clearCache()
    assert version(f"SELECT text, id FROM {table} WHERE id > 3") != first
    spark.catalog.dropTempView("outer_view")
    spark.catalog.dropTempView("inner_view")
