import Dispatch

/// The families that ship with the tool.
public enum ManifestLibrary {
  /// Parts come before the families that include them.
  private static let files: [(name: String, bytes: [UInt8], isPart: Bool)] = [
    ("image-encoder.yaml", PackageResources.image_encoder_yaml, true),
    ("prompt-encoder.yaml", PackageResources.prompt_encoder_yaml, true),
    ("decoder-transformer.yaml", PackageResources.decoder_transformer_yaml, true),
    ("mask-decoder.yaml", PackageResources.mask_decoder_yaml, true),
    ("decoder-sam.yaml", PackageResources.decoder_sam_yaml, true),
    ("decoder-progressive.yaml", PackageResources.decoder_progressive_yaml, true),
    ("decoder-multiscale.yaml", PackageResources.decoder_multiscale_yaml, true),
    ("decoder-lora.yaml", PackageResources.decoder_lora_yaml, true),
    ("fact-tt.yaml", PackageResources.fact_tt_yaml, true),
    ("fact-tk.yaml", PackageResources.fact_tk_yaml, true),
    ("fact-lora.yaml", PackageResources.fact_lora_yaml, true),
    ("adapter-before.yaml", PackageResources.adapter_before_yaml, true),
    ("adapter-after.yaml", PackageResources.adapter_after_yaml, true),
    ("medsam.yaml", PackageResources.medsam_yaml, false),
    ("sam.yaml", PackageResources.sam_yaml, false),
    ("masam.yaml", PackageResources.masam_yaml, false),
    ("samed-delta.yaml", PackageResources.samed_delta_yaml, false),
    ("masam-delta.yaml", PackageResources.masam_delta_yaml, false),
  ]

  private static let cached = Result { try read() }

  /// Every family; those with a stricter condition come first.
  ///
  /// - Throws: `SurgeryError` with code `badManifest`, which is a bug of the tool.
  public static func families() throws -> [Manifest] { try cached.get() }

  /// Begins to read them on another thread, so that they are at hand when a file has been opened.
  public static func prepare() {
    DispatchQueue.global().async { _ = cached }
  }

  private static func read() throws -> [Manifest] {
    var reader = ManifestReader()
    var families: [Manifest] = []
    for file in files {
      let manifest = try reader.read(
        String(decoding: file.bytes, as: UTF8.self), file: file.name)
      reader.known.append(manifest)
      if !file.isPart { families.append(manifest) }
    }
    return families
  }
}
