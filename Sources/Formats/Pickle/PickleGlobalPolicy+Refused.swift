extension PickleGlobalPolicy {
  /// Modules, with all they contain, that exist to run programs, load code, or reach the system.
  static let refusedModules: Set<String> = [
    // The operating system and processes
    "os", "posix", "nt", "sys", "subprocess", "_posixsubprocess", "multiprocessing", "pty",
    "posixpath", "ntpath", "shutil", "signal", "fcntl", "commands", "popen2", "asyncio",
    "concurrent", "_thread", "threading", "atexit", "faulthandler", "gc", "weakref", "contextlib",
    "_winapi", "msvcrt",
    // Running and loading code
    "runpy", "code", "codeop", "importlib", "imp", "pkgutil", "zipimport", "zipapp", "site",
    "sitecustomize", "usercustomize", "timeit", "trace", "cProfile", "profile", "pstats", "bdb",
    "pdb", "doctest", "unittest", "test.support", "pydoc", "pydoc_data", "idlelib", "lib2to3",
    "ensurepip",
    "venv", "pip", "setuptools", "distutils", "pkg_resources", "easy_install", "compileall",
    "py_compile", "ast", "inspect", "ctypes",
    "_ctypes", "cffi", "_cffi_backend", "functools", "operator", "_operator", "marshal", "pickle",
    "_pickle", "cPickle", "pickletools", "shelve", "dill", "cloudpickle",
    "joblib", "jsonpickle",
    // Files and networks
    "io", "_io", "_pyio", "codecs", "fileinput", "tempfile", "linecache", "mmap", "sqlite3",
    "_sqlite3", "dbm", "socket", "_socket", "ssl", "select", "selectors", "socketserver", "http",
    "urllib", "urllib2", "httplib", "requests", "aiohttp", "httpx", "ftplib", "imaplib", "poplib",
    "smtplib", "nntplib", "telnetlib", "xmlrpc", "webbrowser", "antigravity", "wsgiref", "logging",
    "tarfile", "zipfile", "gzip", "bz2", "lzma", "uu", "mailcap", "cgi", "turtledemo", "tkinter",
    "curses", "readline", "rlcompleter", "_osx_support", "_aix_support", "_pyrepl",
    // Libraries that wrap the above
    "torch.hub", "torch.package", "torch.utils.collect_env", "torch.utils._config_module",
    "torch.utils.bottleneck",
    "torch.utils.cpp_extension", "torch.utils.hipify", "torch.utils.model_dump",
    "torch.utils.data.datapipes", "torch.distributed.rpc", "torch.jit", "torch.fx", "torch._dynamo",
    "torch._inductor", "torch.ops", "torch.classes", "numpy.f2py", "numpy.distutils",
    "numpy.testing", "numpy.lib.npyio", "numpy.ctypeslib",
    "numpy.lib._npyio_impl", "pandas.io", "sklearn.externals", "torch.testing", "yaml", "jinja2",
  ]

  /// Single functions of otherwise ordinary modules.
  static let refusedNames: Set<String> = {
    var names: Set<String> = [
      "torch.load", "torch.save", "torch.serialization.load", "torch.compile",
      "torch.import_ir_module",
      "torch.storage._load_from_bytes", "torch.from_file", "torch.serialization._open_file_like",
      "numpy.load", "numpy.loads", "numpy.save", "numpy.savez", "numpy.fromfile", "numpy.memmap",
      "numpy.loadtxt", "numpy.savetxt", "numpy.genfromtxt", "numpy.core.multiarray.fromfile",
      "pandas.read_pickle", "pandas.eval", "uuid._get_command_stdout", "uuid._popen",
      "types.FunctionType",
      "types.CodeType", "types.MethodType", "types.LambdaType", "types.ModuleType",
      "collections.namedtuple", "collections._sys", "enum._sys", "re.template",
      "random._os", "statistics._os", "string.Formatter", "safetensors.torch.load_file",
      "safetensors.torch.save_file", "transformers.pipeline", "copyreg.add_extension",
      "copyreg.pickle", "copyreg.__reduce_ex__",
    ]
    for name in refusedBuiltins { names.insert("builtins." + name) }
    return names
  }()

  private static let refusedBuiltins = [
    "eval", "exec", "execfile", "compile", "open", "file", "input", "raw_input", "getattr",
    "setattr", "delattr", "hasattr", "globals", "locals", "vars", "dir", "breakpoint", "apply",
    "map", "filter", "reduce", "iter", "next", "type",
    "help", "exit", "quit", "print", "reload", "intern",
  ]
}
