// Command release builds everything of the version in the file VERSION from the last commit, and records the version.
//
//	go run ./release [-key FILE] [-builder ID] [-dirty]
//
// Input: a checkout without changes; with -key, a private key for signatures, whose password is in COSIGN_PASSWORD.
// Output, below bin/release:
//
//	images/NAME.tar          an OCI image layout with an image index for amd64 and arm64, its signature and provenance
//	images/images.lock       the digests of the images
//	install.yaml, chart and bundle archives, with the digests of the images
//	osm-VERSION-OS-ARCH      archives of the command line, and the krew manifest osm.yaml
//	sbom/                    bills of materials in SPDX and CycloneDX
//	provenance.json          SLSA provenance of all files; signed in provenance.dsse.json
//	NOTES.md                 release notes
//	SHA256SUMS               checksums of all files; signed in SHA256SUMS.sig, to be verified with cosign.pub
//
// Unless the version is recorded already, it also adds a folder below internal/operator/operand/manifests, to be committed: the
// current manifests with the digests of the image indexes, the list of the images and the commit. Another one below config/crd/testdata has the
// definitions, which later versions are compared with. The same commit gives the same files, except for
// signatures.
package main
