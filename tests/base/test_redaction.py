"""Which options are secret, and how settings look without them."""

import pytest

from w2vspark.base.errors import ConfigError
from w2vspark.base.redaction import REDACTED, check_given, is_secret, redacted
from w2vspark.config.config import to_dict, to_toml
from w2vspark.methods import from_dict, load_config
from w2vspark.stages.input import InputConfig

SECRET_KEYS = (
    "spark.hadoop.fs.s3a.secret.key",
    "spark.hadoop.fs.s3a.access.key",
    "spark.hadoop.fs.s3a.session.token",
    "spark.hadoop.fs.azure.account.key.name.dfs.core.windows.net",
    "spark.hadoop.fs.azure.sas.container.name",
    "spark.ssl.keyPassword",
    "spark.authenticate.secret",
    "spark.hadoop.google.cloud.auth.service.account.private.key",
    "password",
    "apiKey",
    "api-key",
    "pemPassphrase",
    "credentials",
    "spark.hadoop.fs.s3a.server-side-encryption.key",
    "fs.adl.storage_key",
    "db.pass",
    "PWD",
)
OTHER_KEYS = (
    "spark.sql.shuffle.partitions",
    "spark.cassandra.connection.host",
    "spark.hadoop.fs.s3a.endpoint",
    "multiLine",
    "spark.io.encryption.keySizeBits",
    "passes",
    "bypass",
    "key",
    "user",
)
SECRET_VALUES = (
    "jdbc:postgresql://host/db?user=me&password=p",
    "-Dmine=1 -Djavax.net.ssl.keyStorePassword=p",
    "https://me:p@host/x",
    "https://host/x?sv=2024&sig=abc%3D",
    "Driver=x;UID=me;PWD=p",
)


def test_keys_of_secrets_are_known() -> None:
    assert [key for key in SECRET_KEYS if not is_secret(key)] == []
    assert [key for key in SECRET_KEYS if not is_secret(key.upper())] == []
    assert [key for key in OTHER_KEYS if is_secret(key)] == []


def test_values_that_hold_a_password_are_known() -> None:
    assert [value for value in SECRET_VALUES if not is_secret("url", value)] == []
    assert not is_secret("url", "jdbc:postgresql://host:5432/db?user=me&design=1")


def test_a_redacted_configuration_parses_and_differs_in_the_secrets_alone() -> None:
    options = {key: "geheim" for key in SECRET_KEYS} | {"url": SECRET_VALUES[0], "multiLine": "true"}
    tree = {"input": {"path": ["text"], "options": options}, "output": {"path": "o"}}
    shown = redacted(to_dict(from_dict(tree)[1]))
    assert not any(word in to_toml(shown) for word in ("geheim", "password=p"))
    assert from_dict(shown)[1][InputConfig].options == dict.fromkeys(options, REDACTED) | {"multiLine": "true"}
    rest = to_dict(from_dict(tree)[1])  # keys like tokens.* and encoded.piece_tokens are no secrets
    del rest["input"]["options"], shown["input"]["options"]
    assert shown == rest


def test_errors_of_the_configuration_show_no_secret() -> None:
    wrong = ["spark.options.hadoop.fs.s3a.secret.key=geheim", "input.format=", "password=geheim"]
    wrong += ['tokens.min_length={"password" = "geheim", "a" = {"secret" = "geheim"}}']
    wrong += ["spark.option.x.password=geheim"]
    with pytest.raises(ConfigError) as caught:
        load_config(None, [*wrong, "output.path=o"])
    assert "geheim" not in str(caught.value) and str(caught.value).count(REDACTED) == 4, str(caught.value)


def test_what_was_redacted_must_be_given_again() -> None:
    check_given("input.options", {"password": "given"})
    with pytest.raises(ConfigError, match=r"^input\.options\.password = \(redacted\): .*give it again"):
        check_given("input.options", {"password": REDACTED, "user": "me"})
