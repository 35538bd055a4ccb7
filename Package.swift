// swift-tools-version: 6.2
import PackageDescription

/// Settings every Swift target shares.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  // A warning is a defect that has not been looked at yet.
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "wt",
  products: [
    .executable(name: "wt", targets: ["WeightTool"]),
    .library(name: "Formats", targets: ["Formats"]),
    .library(name: "Surgery", targets: ["Surgery"]),
    .library(
      name: "Runtime",
      targets: [
        "Numerics", "Networks", "Training", "Inference", "Verification", "Augmentation", "Metrics",
        "Planning", "Benchmarking", "Datasets", "Evaluation", "Demonstration",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
  ],
  targets: [
    .systemLibrary(
      name: "CZlib", path: "Sources/System/CZlib", pkgConfig: "zlib",
      providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CZstd", path: "Sources/System/CZstd", pkgConfig: "libzstd",
      providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(
      name: "CHDF5", path: "Sources/System/CHDF5", pkgConfig: "hdf5",
      providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(
      name: "COneDNN", path: "Sources/System/COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(
      name: "CPNG", path: "Sources/System/CPNG", pkgConfig: "libpng",
      providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CLinux", path: "Sources/System/CLinux"),
    .target(name: "CKernels"),
    .target(name: "CImages", dependencies: ["CPNG"]),
    .target(
      name: "Support",
      dependencies: ["CKernels", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(
      name: "PlainYAML", dependencies: ["Support", .product(name: "Yams", package: "Yams")],
      swiftSettings: settings),
    .target(
      name: "Formats",
      dependencies: ["Support", "CKernels", "CImages", "CLinux", "CZlib", "CZstd", "CHDF5"],
      swiftSettings: settings),
    .target(
      name: "Surgery",
      dependencies: [
        "Formats", "PlainYAML", "Support", "CKernels", .product(name: "Yams", package: "Yams"),
      ],
      exclude: ["Manifests/datasets"], resources: [.embedInCode("Manifests")],
      swiftSettings: settings),
    // The runtime is several targets, so that the compiler keeps its inner walls.
    .target(
      name: "Numerics", dependencies: ["Formats", "Support", "CKernels", "COneDNN"],
      path: "Sources/Runtime/Numerics", swiftSettings: settings),
    .target(
      name: "Networks", dependencies: ["Numerics", "Surgery", "Formats", "Support"],
      path: "Sources/Runtime/Networks", swiftSettings: settings),
    .target(
      name: "Planning",
      dependencies: ["Benchmarking", "Networks", "Numerics", "Surgery", "Formats", "Support"],
      path: "Sources/Runtime/Planning", swiftSettings: settings),
    .target(
      name: "Benchmarking", dependencies: ["Training", "Numerics", "Surgery", "Support"],
      path: "Sources/Runtime/Benchmarking", swiftSettings: settings),
    .target(
      name: "Demonstration", dependencies: ["Surgery", "Formats", "Support"],
      path: "Sources/Runtime/Demonstration", swiftSettings: settings),
    .target(
      name: "Training",
      dependencies: [
        "Datasets", "Augmentation", "Networks", "Numerics", "Surgery", "Formats", "Support",
        "PlainYAML", "CKernels", .product(name: "Yams", package: "Yams"),
      ],
      path: "Sources/Runtime/Training",
      resources: [.embedInCode("Configuration/Shipped")], swiftSettings: settings),
    .target(
      name: "Verification",
      dependencies: ["Networks", "Numerics", "Surgery", "Formats", "Support", "CKernels"],
      path: "Sources/Runtime/Verification", swiftSettings: settings),
    .target(
      name: "Augmentation", dependencies: ["Support"], path: "Sources/Runtime/Augmentation",
      swiftSettings: settings),
    .target(
      name: "Metrics", dependencies: ["Support"], path: "Sources/Runtime/Metrics",
      swiftSettings: settings),
    .target(
      name: "Datasets",
      dependencies: [
        "Formats", "PlainYAML", "Support", .product(name: "Yams", package: "Yams"),
      ],
      path: "Sources/Runtime/Data", resources: [.embedInCode("Manifests")],
      swiftSettings: settings),
    .target(
      name: "Evaluation", dependencies: ["Metrics", "Datasets", "Formats", "Support"],
      path: "Sources/Runtime/Evaluation", swiftSettings: settings),
    .target(
      name: "Inference",
      dependencies: ["Networks", "Numerics", "Datasets", "Surgery", "Formats", "Support"],
      path: "Sources/Runtime/Inference", swiftSettings: settings),
    .executableTarget(
      name: "WeightTool",
      dependencies: [
        "Training", "Inference", "Evaluation", "Verification", "Planning", "Benchmarking",
        "Demonstration", "Metrics", "Datasets", "Networks", "Numerics", "Surgery", "Formats",
        "Support",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: settings),
    .target(
      name: "TestSupport", dependencies: ["Formats", "Support", "CZlib", "CZstd"],
      path: "Tests/TestSupport",
      swiftSettings: settings),
    .executableTarget(name: "measure", path: "Tests/Measure", swiftSettings: settings),
    .testTarget(
      name: "SupportTests", dependencies: ["PlainYAML", "Support"], swiftSettings: settings),
    .testTarget(
      name: "FormatsTests",
      dependencies: ["Formats", "Support", "CKernels", "TestSupport", "WeightTool", "measure"],
      swiftSettings: settings),
    .testTarget(
      name: "SurgeryTests", dependencies: ["Surgery", "Formats", "CKernels", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "RuntimeTests",
      dependencies: [
        "Training", "Inference", "Evaluation", "Verification", "Planning", "Benchmarking",
        "Augmentation",
        "Metrics", "Demonstration", "Datasets", "Networks", "Numerics", "Surgery", "Formats",
        "CKernels", "TestSupport",
      ], swiftSettings: settings),
    .testTarget(
      name: "WeightToolTests", dependencies: ["WeightTool", "Formats", "TestSupport", "measure"],
      swiftSettings: settings),
  ]
)
