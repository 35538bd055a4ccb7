/// What may be done with the names a pickle mentions.
///
/// Nothing is ever looked up or run, so this decides only between what wt understands, what it
/// keeps as an inert value, and what marks a file as an attack.
enum PickleGlobalPolicy {
  enum Verdict: String, Sendable {
    /// A torch function or class that wt itself knows how to read.
    case understood
    /// A mapping whose items matter.
    case mapping
    /// A constructor without effects; its value is kept inert.
    case harmless
    /// A name of unknown purpose: its instances are inert, calling it is refused.
    case unknown
    /// A name whose job is to run code or open files.
    case refused
  }

  static func verdict(module: String, name: String) -> Verdict {
    let module = canonicalModule(module)
    let qualified = module + "." + name
    if mappings.contains(qualified) { return .mapping }
    if understood.contains(qualified) || isTorchType(module, name) { return .understood }
    if harmless.contains(qualified) { return .harmless }
    return runsCode(module, name) ? .refused : .unknown
  }

  /// Python 2's and older libraries' names for the same modules.
  static func canonicalModule(_ module: String) -> String {
    if module == "__builtin__" { return "builtins" }
    if module == "copy_reg" { return "copyreg" }
    if module == "torch.tensor" { return "torch._tensor" }
    if module == "numpy.core" || module.hasPrefix("numpy.core.") {
      return "numpy._core" + module.dropFirst("numpy.core".count)
    }
    return module
  }

  private static let mappings: Set<String> = [
    "collections.OrderedDict", "collections.Counter", "collections.defaultdict", "builtins.dict",
  ]

  private static let understood: Set<String> = [
    "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state", "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_meta_tensor_no_storage",
    "torch._utils._rebuild_wrapper_subclass",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
    "torch._tensor._rebuild_from_type_v2", "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer", "torch.storage.UntypedStorage", "torch.storage.TypedStorage",
    "torch.serialization._get_layout", "torch.Size",
    "torch.device", "torch.Tensor", "torch._tensor.Tensor",
  ]

  /// Element types and storage classes, which torch names in its own module.
  private static func isTorchType(_ module: String, _ name: String) -> Bool {
    guard module == "torch" || module == "torch.cuda" else { return false }
    return TorchNames.dtypes[name] != nil || TorchNames.isStorageClass(name)
      || TorchNames.tensorClasses.contains(name) || TorchNames.otherConstants.contains(name)
  }

  private static let harmless: Set<String> = [
    "builtins.set", "builtins.frozenset", "builtins.complex", "builtins.bytearray",
    "builtins.bytes", "builtins.range", "builtins.slice", "builtins.list", "builtins.tuple",
    // Protocol 2 writes some of them under Python 2's names.
    "builtins.xrange", "builtins.unicode", "builtins.long",
    "builtins.int", "builtins.float", "builtins.bool", "builtins.str", "builtins.object",
    "_codecs.encode", "copyreg._reconstructor", "copyreg.__newobj__", "collections.deque",
    "argparse.Namespace", "types.SimpleNamespace", "decimal.Decimal", "fractions.Fraction",
    "uuid.UUID", "datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta",
    "datetime.timezone", "zoneinfo.ZoneInfo._unpickle",
    "pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePath",
    "pathlib.PurePosixPath", "pathlib.PureWindowsPath", "pathlib._local.Path",
    "pathlib._local.PosixPath", "pathlib._local.WindowsPath", "pathlib._local.PurePath",
    "pathlib._local.PurePosixPath", "pathlib._local.PureWindowsPath",
    "numpy.dtype", "numpy.ndarray", "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar", "numpy._core.numeric._frombuffer",
    "numpy.random._pickle.__randomstate_ctor", "numpy.random._pickle.__generator_ctor",
    "numpy.random._pickle.__bit_generator_ctor", "numpy.random._mt19937.MT19937",
    "numpy.random._pcg64.PCG64",
    "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig",
  ]

  private static func runsCode(_ module: String, _ name: String) -> Bool {
    if name.split(separator: ".", omittingEmptySubsequences: false).contains(where: isDunder) {
      return true
    }
    if refusedNames.contains(module + "." + name) { return true }
    let packages = module.split(separator: ".", omittingEmptySubsequences: false)
    if packages.contains(where: isDunder) { return true }
    return (1...max(1, packages.count)).contains { count in
      refusedModules.contains(packages.prefix(count).joined(separator: "."))
    }
  }

  /// `__globals__`, `__reduce__` and their like are steps on the way out of an object.
  private static func isDunder(_ part: Substring) -> Bool {
    part.hasPrefix("__") && part.hasSuffix("__") && part.count > 4
  }
}
