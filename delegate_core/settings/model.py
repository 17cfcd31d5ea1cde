"""The settings of the runner itself, whatever the backend."""

import socket
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, WithJsonSchema, field_validator

from delegate_core.settings.base import Settings
from delegate_core.settings.durations import Duration, PositiveDuration
from delegate_core.settings.naming import FileOnly, Flag
from delegate_core.settings.paths import UserPath
from delegate_core.settings.secretreference import SecretReference

__all__ = ["RunnerSettings"]

_SIZE = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "examples": ["64KiB", "5MiB"]}]}

_USERS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


LogLevel = Literal["debug", "info", "warning", "error"]


class RunnerSettings(Settings):
    """The settings of the runner itself. `None` leaves a value to the backend or to the platform.

    Attributes:
        backend: which control plane to serve, by the name of its plugin.
        name: of this runner, as the server lists it.
        capacity: tasks at the same time.
        limits: tasks of one type at the same time, by type.
        secrets: where the secrets of tasks' data are, by name: `npm=env:NPM_TOKEN`, file:PATH, vault:PATH#FIELD.
        before_task: a shell command before each task; unless it ends with status 0, the task is rejected.
        after_task: a shell command after each task, told its outcome in DELEGATE_TASK_OUTCOME.
        task_command_timeout: seconds that each of these commands has.
        task_command_output: bytes of their output that go into the task's log, each.
        task_cpu_time: seconds of computing that each process of a task may take.
        task_memory: bytes of address space that each process of a task may have.
        task_processes: processes and threads that the runner's user may have where a task starts another.
        task_file_size: bytes that a file may have which a process of a task writes.
        run_as: user as whom the processes of tasks run, NAME, NUMBER or USER:GROUP; or one for each task that may run.
        work_dir: folder of the tasks' folders; default: in the state folder, with run_as below /var/lib/delegate/work.
        tags: what this runner offers, for a server that chooses by it.
        poll_interval: seconds between two questions for tasks.
        state_dir: folder of the journal.
        handlers: modules or files with task handlers.
        handler: handlers by task type or pattern: executables, HTTP services, ASGI apps; see docs/handlers.md.
        cache_dir: folder in which downloaded executables are kept.
        console: how to show what is going on; ``quiet``: only warnings and errors.
        grace: seconds a process has between SIGTERM and SIGKILL.
        drain_timeout: seconds that running tasks have when the runner leaves.
        default_timeout: seconds for a task whose server names no limit.
        register_timeout: seconds in which the first registration must succeed; 0: try for ever.
        ready_within: seconds since the last successful call after which the runner counts as not ready.
        max_tasks: leave after having claimed so many tasks.
        max_idle: leave after so many seconds without a task.
        max_uptime: leave after so many seconds, with what runs finished.
        min_free_disk: bytes that must be free where the state folder is; below, no task is taken. 0: any.
        min_free_memory: bytes of memory that must be available on the machine; below, no task is taken. 0: any.
        takeover: have a runner that has the state folder drain, and wait for its end.
        lock_timeout: seconds to wait for a state folder that another process has.
        mask_file: file with values that no task's log may show, one a line.
        durable: bear a power failure too: wait for the disk at each step of the journal.
        result_limit: bytes of JSON that a task's result may have; a larger one fails its task.
        log_limit: bytes of a log that are kept, its end; of a pipeline's, of each step's.
        ca_files: certificate authorities to trust besides the system's: PEM files or folders.
        client_certificate: PEM file of our own certificate.
        client_key: PEM file of its key.
        insecure: trust any certificate.
        transport: what carries HTTP calls.
        plugins: modules to load besides those installed.
        disabled_plugins: installed plugins to leave out.
        strict: refuse to start with a broken plugin.
        log_level: of the runner's own log: what it and its plugins say from this level on, and warnings of libraries.
        loggers: levels of single loggers by their names, a library's or a part of the runner: `httpx=info`.
        log_file: file that the runner's own log is appended to, besides what the console shows.
        log_format: of that file's lines.
        log_file_size: bytes after which a new file is begun; 0: never.
        log_file_count: old log files that are kept.
        status: where health, metrics and the dashboard are served, HOST:PORT; port 0 is a free one, off serves nothing.
        status_user: who may look besides the owner of the state folder, with status_password.
        status_password: the password of status_user; without it only the token in the state folder opens the pages.
    """

    backend: str | None = None
    name: str = Field(default_factory=socket.gethostname, min_length=1)
    capacity: int | None = Field(None, ge=1)
    limits: Annotated[dict[str, Annotated[int, Field(ge=1)]], Flag("limit")] = {}  # noqa: RUF012 - pydantic copies defaults
    secrets: Annotated[dict[str, SecretReference], Flag("secret", "SECRETS")] = {}  # noqa: RUF012 - as above
    before_task: Annotated[str, Field(min_length=1)] | None = None
    after_task: Annotated[str, Field(min_length=1)] | None = None
    task_command_timeout: PositiveDuration = 60.0
    task_command_output: Annotated[ByteSize, WithJsonSchema(_SIZE)] = Field(ByteSize(64 * 1024), ge=0)
    task_cpu_time: PositiveDuration | None = None
    task_memory: Annotated[ByteSize, Field(gt=0), WithJsonSchema(_SIZE)] | None = None
    task_processes: int | None = Field(None, ge=1)
    task_file_size: Annotated[ByteSize, Field(gt=0), WithJsonSchema(_SIZE)] | None = None
    run_as: Annotated[tuple[str, ...], BeforeValidator(_listed), WithJsonSchema(_USERS)] = ()
    work_dir: UserPath | None = None
    tags: Annotated[tuple[str, ...], Flag("tag")] = ()
    poll_interval: PositiveDuration | None = None
    state_dir: UserPath | None = None
    handlers: Annotated[tuple[str, ...], Flag("handlers")] = ()
    handler: Annotated[dict[str, Any], FileOnly()] = {}  # noqa: RUF012 - pydantic copies defaults
    cache_dir: UserPath | None = None
    console: Literal["auto", "live", "plain", "json", "quiet"] = "auto"
    grace: Duration = 10.0
    drain_timeout: Duration = 60.0
    default_timeout: PositiveDuration = 3600.0
    register_timeout: Duration = 60.0
    ready_within: PositiveDuration = 120.0
    max_tasks: int | None = Field(None, ge=1)
    max_idle: PositiveDuration | None = None
    max_uptime: PositiveDuration | None = None
    min_free_disk: Annotated[ByteSize, WithJsonSchema(_SIZE)] = Field(ByteSize(256 * 1024 * 1024), ge=0)
    min_free_memory: Annotated[ByteSize, WithJsonSchema(_SIZE)] = Field(ByteSize(0), ge=0)
    takeover: bool = False
    lock_timeout: Duration = 0.0
    mask_file: UserPath | None = None
    durable: bool = False
    result_limit: Annotated[ByteSize, WithJsonSchema(_SIZE)] = Field(ByteSize(64 * 1024 * 1024), gt=0)
    log_limit: Annotated[ByteSize, WithJsonSchema(_SIZE)] = Field(ByteSize(5 * 1024 * 1024), ge=0)
    ca_files: Annotated[tuple[UserPath, ...], Flag("ca-file")] = ()
    client_certificate: UserPath | None = None
    client_key: UserPath | None = None
    insecure: bool = False
    transport: Literal["auto", "reqwest", "httpx"] = "auto"
    plugins: Annotated[tuple[str, ...], Flag("plugin")] = ()
    disabled_plugins: Annotated[tuple[str, ...], Flag("disable-plugin")] = ()
    strict: bool = False
    log_level: LogLevel = "info"
    loggers: Annotated[dict[str, LogLevel], Flag("logger", "LOGGERS")] = {}  # noqa: RUF012 - as above
    log_file: UserPath | None = None
    log_format: Literal["text", "json", "logfmt"] = "text"
    log_file_size: Annotated[ByteSize, WithJsonSchema(_SIZE)] = Field(ByteSize(10 * 1024 * 1024), ge=0)
    log_file_count: int = Field(5, ge=0)

    status: str = "127.0.0.1:0"
    status_user: str = "admin"
    status_password: SecretStr = SecretStr("")

    @field_validator("handlers", mode="before")
    @classmethod
    def _a_list(cls, value: Any) -> Any:
        if isinstance(value, dict):
            message = "it lists modules and files; a handler is declared as [handler.NAME], without the s"
            raise ValueError(message)  # noqa: TRY004 - pydantic wants this one
        return value
