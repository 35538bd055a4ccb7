import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about what a pickle may call (28 to 31).
@Suite("Pickles that call what runs code")
struct PickleGlobalRowTests {
  typealias Row = PickleRowTests.Row

  static let builtins = [
    "eval", "exec", "getattr", "__import__", "compile", "open", "input", "globals", "breakpoint",
  ]

  /// Functions that run code, read or write files, or reach the network, whoever imports them.
  static let executors = [
    "pip.main", "pip._internal.main", "runpy._run_code", "runpy.run_path", "timeit.timeit",
    "timeit.main", "cProfile.runctx", "cProfile.run", "profile.run", "pty.spawn", "pydoc.locate",
    "pydoc.pipepager", "pkgutil.resolve_name", "torch.utils.collect_env.run",
    "numpy.f2py.crackfortran.getlincoef", "lib2to3.pgen2.pgen.ParserGenerator.make_label",
    "idlelib.run.Executive.runcode", "idlelib.autocomplete.AutoComplete.get_entity",
    "uuid._get_command_stdout", "_osx_support._find_build_tool", "imaplib.IMAP4_stream",
    "ctypes.CDLL", "ctypes.WinDLL", "_io.FileIO", "io.open", "urllib.request.urlopen",
    "subprocess.Popen", "subprocess.run", "multiprocessing.util.spawnv_passfds", "shutil.rmtree",
    "importlib.import_module", "imp.load_source", "code.InteractiveInterpreter",
    "codeop.compile_command", "trace.Trace", "bdb.Bdb.run", "pdb.run", "doctest.debug_script",
    "ensurepip._run_pip", "venv.create", "asyncio.unix_events._UnixSubprocessTransport._start",
    "concurrent.futures.ThreadPoolExecutor", "distutils.file_util.write_file", "sqlite3.connect",
    "socket.create_connection", "webbrowser.open", "smtplib.SMTP", "ftplib.FTP",
    "telnetlib.Telnet", "http.client.HTTPSConnection", "tarfile.open", "zipfile.ZipFile",
    "tempfile.mktemp", "fileinput.input", "linecache.getlines", "pickle.loads", "_pickle.loads",
    "marshal.loads", "shelve.open", "dill.loads", "cloudpickle.load", "joblib.load", "torch.load",
    "torch.hub.load", "torch.jit.load", "torch.storage._load_from_bytes", "numpy.load",
    "numpy.loads", "numpy.fromfile", "numpy.memmap", "pandas.read_pickle", "functools.partial",
    "functools.reduce", "operator.attrgetter", "operator.itemgetter", "operator.methodcaller",
    "_operator.attrgetter", "types.FunctionType", "types.CodeType", "sys.modules",
    "sys.setprofile", "nt.system", "os.popen", "os.execv", "os.path.join", "signal.signal",
    "gzip.open", "bz2.open", "lzma.open", "logging.config.listen", "codecs.open",
    "rlcompleter.Completer", "zipimport.zipimporter", "_winapi.CreateProcess",
    "msvcrt.LoadLibrary", "nt.execve", "posix.execv", "posix.fork", "posix.popen",
    "posixpath.realpath", "os.spawnl", "os.startfile", "os.remove", "os.putenv",
    "os.fork", "os.kill", "shutil.move", "shutil.copyfile",
    "subprocess.getoutput", "subprocess.check_output", "subprocess.call",
    "multiprocessing.Process", "threading.Thread", "_thread.start_new_thread",
    "asyncio.create_subprocess_shell", "concurrent.futures.ProcessPoolExecutor", "ssl.SSLSocket",
    "xmlrpc.client.ServerProxy", "poplib.POP3", "nntplib.NNTP", "antigravity.geohash", "site.main",
    "mailcap.findmatch", "runpy.run_module", "pydoc.render_doc", "unittest.mock.patch",
    "inspect.getsource", "ast.literal_eval", "socket.socket", "_posixsubprocess.fork_exec",
    "curses.wrapper", "select.epoll", "weakref.finalize", "atexit.register",
    "gc.get_objects", "copyreg.add_extension", "types.MethodType", "contextlib.ExitStack.callback",
    "torch.serialization.load", "torch.utils.cpp_extension.load",
    "torch._dynamo.guards.GuardBuilder.get", "torch.distributed.rpc.rpc_sync",
    "torch.utils.data.datapipes.utils.decoder.basichandlers",
    "torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression",
    "torch.testing._internal.common_utils.run_tests", "numpy.testing._private.utils.runstring",
    "numpy.ctypeslib.load_library", "numpy.savetxt", "numpy.lib.npyio.NpzFile", "pandas.eval",
    "pandas.io.parsers.read_csv", "yaml.unsafe_load", "jinja2.Template.render",
    "setuptools.sandbox.run_setup",
  ]

  static let rows: [Row] =
    builtins.flatMap { [("builtins", $0), ("__builtin__", $0)] }.map { module, name in
      Row("28 \(module).\(name)", call(module, name), .forbiddenGlobal)
    } + executors.map { Row("29 \($0)", call($0), .forbiddenGlobal) }
    + [Row("30 load by way of a partial", nestedLoad, .forbiddenGlobal)]

  private static func call(_ module: String, _ name: String) -> [UInt8] {
    PickleBuilder().global(module, name).op(")R").stop
  }

  private static func call(_ dotted: String) -> [UInt8] {
    let parts = dotted.split(separator: ".")
    return call(parts.dropLast().joined(separator: "."), String(parts[parts.count - 1]))
  }

  /// `functools.partial(torch.load, "/etc/passwd")()`.
  private static let nestedLoad = PickleBuilder().global("functools", "partial").tuple {
    $0.global("torch", "load").text("/etc/passwd")
  }.op("R)R").stop

  /// Options do not help the ones known to run code.
  @Test(arguments: rows) func `what runs code is refused, whatever is allowed`(row: Row) {
    for skips in [false, true] {
      let error = #expect(throws: FormatError.self) {
        try PickleMachine.parse(row.bytes, options: .init(skipsUnknownCalls: skips))
      }
      #expect(error?.code == row.code, "skips \(skips)")
      #expect(error?.offset != nil)
    }
  }

  @Test func `the list is long`() { #expect(Set(Self.executors).count >= 150) }
}
