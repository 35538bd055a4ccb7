import COneDNN

/// The libraries that numbers go through, as they are on this machine.
public var libraryVersions: [(name: String, version: String)] {
  guard let version = dnnl_version()?.pointee else { return [] }
  return [("oneDNN", "\(version.major).\(version.minor).\(version.patch)")]
}
