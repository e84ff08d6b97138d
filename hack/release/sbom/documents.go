package sbom

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	packageurl "github.com/package-url/packageurl-go"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// Subject is what a document describes: an image of one platform, or a program.
type Subject struct {
	// Name and Version identify the subject, such as docker.io/openservicemesh/init.
	Name, Version string
	// IsImage is true for images.
	IsImage bool
	// SHA256 is the hexadecimal digest of the manifest or of the program.
	SHA256 string
	// Components are parts of the subject, sorted with Sort.
	Components []Component
	// Created is the time of the release.
	Created time.Time
}

// Component is a Go module or a downloaded package.
type Component struct {
	// Name and Version are those of its ecosystem.
	Name, Version string
	// URL is the package URL.
	URL string
	// SHA256 is the hexadecimal hash of the downloaded file. It is empty for Go modules.
	SHA256 string
}

// Modules returns the Go modules that are linked into a program, and Go's standard library. The program's own module has the given
// version.
func Modules(program []byte, version string) ([]Component, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("the program does not list its modules: %w", err)
	}
	return linked(info, version), nil
}

// linked returns the components that a program lists.
func linked(info *buildinfo.BuildInfo, version string) []Component {
	components := []Component{
		golang(debug.Module{Path: info.Main.Path, Version: version}),
		golang(debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}),
	}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, golang(*module))
	}
	return Sort(components)
}

// golang returns the component of a Go module.
func golang(module debug.Module) Component {
	namespace, name := "", module.Path
	if i := strings.LastIndex(module.Path, "/"); i >= 0 {
		namespace, name = module.Path[:i], module.Path[i+1:]
	}
	url := packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, module.Version, nil, "")
	return Component{Name: module.Path, Version: module.Version, URL: url.ToString()}
}

// Downloaded returns the component of a package whose name has the prefix deb: or pypi:, as in the image list.
func Downloaded(name, version, sha256, architecture string) (Component, error) {
	c := Component{Version: version, SHA256: sha256}
	origin, short, _ := strings.Cut(name, ":")
	c.Name = short
	switch origin {
	case "deb":
		qualifiers := packageurl.QualifiersFromMap(map[string]string{"arch": architecture})
		c.URL = packageurl.NewPackageURL(packageurl.TypeDebian, "debian", short, version, qualifiers, "").ToString()
	case "pypi":
		c.URL = packageurl.NewPackageURL(packageurl.TypePyPi, "", short, version, nil, "").ToString()
	default:
		return c, fmt.Errorf("the package %q has no known origin, which is the prefix deb or pypi", name)
	}
	return c, nil
}

// Sort sorts components by their package URLs, and removes duplicates.
func Sort(components []Component) []Component {
	slices.SortFunc(components, func(a, b Component) int { return cmp.Compare(a.URL, b.URL) })
	return slices.Compact(components)
}

// CycloneDX returns the document in CycloneDX as JSON.
func CycloneDX(s Subject) ([]byte, error) {
	kind := cyclonedx.ComponentTypeApplication
	if s.IsImage {
		kind = cyclonedx.ComponentTypeContainer
	}
	bom := cyclonedx.NewBOM()
	const subject = "subject"
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: s.Created.UTC().Format(time.RFC3339),
		Tools:     &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{Type: cyclonedx.ComponentTypeApplication, Name: creator}}},
		Component: &cyclonedx.Component{BOMRef: subject, Type: kind, Name: s.Name, Version: s.Version, Hashes: hashes(s.SHA256)},
	}
	var components []cyclonedx.Component
	var urls []string
	for _, c := range s.Components {
		components = append(components, cyclonedx.Component{
			BOMRef: c.URL, Type: cyclonedx.ComponentTypeLibrary, Name: c.Name, Version: c.Version, PackageURL: c.URL, Hashes: hashes(c.SHA256),
		})
		urls = append(urls, c.URL)
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: subject, Dependencies: &urls}}
	var written bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&written, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("cannot write the CycloneDX document of %s: %w", s.Name, err)
	}
	return written.Bytes(), nil
}

func hashes(sha256 string) *[]cyclonedx.Hash {
	if sha256 == "" {
		return nil
	}
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: sha256}}
}

// project is the address of the project, and the prefix of the names of documents.
const project = "https://github.com/openservicemesh/osm-operator"

// creator is the program that writes the documents.
const creator = "osm-operator-release"

// noAssertion is SPDX's value of unknown facts.
const noAssertion = "NOASSERTION"

// SPDX returns the document in SPDX 2.3 as JSON.
func SPDX(s Subject) ([]byte, error) {
	const subject = common.ElementID("Package-subject")
	doc := &spdx.Document{
		SPDXVersion:       spdx.Version,
		DataLicense:       spdx.DataLicense,
		SPDXIdentifier:    "DOCUMENT",
		DocumentName:      s.Name + " " + s.Version,
		DocumentNamespace: fmt.Sprintf("%s/spdx/%s", project, s.SHA256),
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: creator}},
			Created:  s.Created.UTC().Format(time.RFC3339),
		},
		Packages:      []*spdx.Package{spdxSubject(s, subject)},
		Relationships: []*spdx.Relationship{relation("DOCUMENT", "DESCRIBES", subject)},
	}
	for i, c := range s.Components {
		id := common.ElementID(fmt.Sprintf("Package-%d", i))
		p := spdxPackage(c.Name, c.Version, c.SHA256, id)
		p.PackageExternalReferences = []*spdx.PackageExternalReference{{
			Category: common.CategoryPackageManager,
			RefType:  common.TypePackageManagerPURL, Locator: c.URL,
		}}
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, relation(subject, "CONTAINS", id))
	}
	var written bytes.Buffer
	if err := spdxjson.Write(doc, &written, spdxjson.Indent("  ")); err != nil {
		return nil, fmt.Errorf("cannot write the SPDX document of %s: %w", s.Name, err)
	}
	return written.Bytes(), nil
}

func relation(a common.ElementID, kind string, b common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{RefA: common.DocElementID{ElementRefID: a}, RefB: common.DocElementID{ElementRefID: b}, Relationship: kind}
}

func spdxSubject(s Subject, id common.ElementID) *spdx.Package {
	purpose := "APPLICATION"
	if s.IsImage {
		purpose = "CONTAINER"
	}
	p := spdxPackage(s.Name, s.Version, s.SHA256, id)
	p.PrimaryPackagePurpose = purpose
	p.PackageLicenseDeclared = "Apache-2.0"
	p.PackageHomePage = project
	return p
}

func spdxPackage(name, version, sha256 string, id common.ElementID) *spdx.Package {
	p := &spdx.Package{
		PackageName: name, PackageVersion: version, PackageSPDXIdentifier: id, PackageDownloadLocation: noAssertion,
		PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: noAssertion, PackageCopyrightText: noAssertion,
	}
	if sha256 != "" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: sha256}}
	}
	return p
}
