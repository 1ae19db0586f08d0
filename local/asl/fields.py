"""The fields that each type of state has in each query language, and those it must have."""

JSONPATH, JSONATA = "JSONPath", "JSONata"
ANYWHERE = frozenset({"Type", "Comment", "QueryLanguage"})
_ON = {"Next", "End", "Assign"}
_RETRIED = {"Retry", "Catch"}
_MAP = {
    *("ItemProcessor", "ItemReader", "ItemSelector", "ItemBatcher", "MaxConcurrency", "Label", "ResultWriter"),
    *("ToleratedFailureCount", "ToleratedFailurePercentage"),
}
_BY_PATH = {
    *("Iterator", "ItemsPath", "Parameters", "MaxConcurrencyPath"),
    *("ToleratedFailureCountPath", "ToleratedFailurePercentagePath"),
}
_IN_OUT, _RESULT = {"InputPath", "OutputPath"}, {"ResultSelector", "ResultPath"}
_TASK = {"Resource", "Credentials", "TimeoutSeconds", "HeartbeatSeconds"}

FIELDS: dict[str, dict[str, frozenset[str]]] = {
    JSONATA: {
        "Task": frozenset(_ON | _RETRIED | _TASK | {"Arguments", "Output"}),
        "Map": frozenset(_ON | _RETRIED | _MAP | {"Items", "Output"}),
        "Parallel": frozenset(_ON | _RETRIED | {"Branches", "Arguments", "Output"}),
        "Pass": frozenset(_ON | {"Output"}),
        "Wait": frozenset(_ON | {"Seconds", "Timestamp", "Output"}),
        "Choice": frozenset({"Choices", "Default", "Assign", "Output"}),
        "Succeed": frozenset({"Output"}),
        "Fail": frozenset({"Error", "Cause"}),
    },
    JSONPATH: {
        "Task": frozenset(
            _ON | _RETRIED | _TASK | _IN_OUT | _RESULT | {"Parameters", "TimeoutSecondsPath", "HeartbeatSecondsPath"}
        ),
        "Map": frozenset(_ON | _RETRIED | _MAP | _BY_PATH | _IN_OUT | _RESULT),
        "Parallel": frozenset(_ON | _RETRIED | _IN_OUT | _RESULT | {"Branches", "Parameters"}),
        "Pass": frozenset(_ON | _IN_OUT | {"Result", "Parameters", "ResultPath"}),
        "Wait": frozenset(_ON | _IN_OUT | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"}),
        "Choice": frozenset(_IN_OUT | {"Choices", "Default", "Assign"}),
        "Succeed": frozenset(_IN_OUT),
        "Fail": frozenset({"Error", "ErrorPath", "Cause", "CausePath"}),
    },
}
REQUIRED = {"Task": ("Resource",), "Choice": ("Choices",), "Parallel": ("Branches",)}
EITHER = {
    "Map": ("ItemProcessor", "Iterator"),
    "Wait": ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),
}
AT_MOST_ONE = (
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("ItemSelector", "Parameters"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
)
ENDS = ("Succeed", "Fail")
MACHINE = frozenset({"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"})
NESTED = frozenset({"Comment", "QueryLanguage", "StartAt", "States", "ProcessorConfig"})
