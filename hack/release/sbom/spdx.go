package sbom

import (
	"bytes"
	"fmt"
	"time"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

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
		doc.Packages = append(doc.Packages, spdxComponent(c, id))
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

func spdxComponent(c Component, id common.ElementID) *spdx.Package {
	p := spdxPackage(c.Name, c.Version, c.SHA256, id)
	p.PackageExternalReferences = []*spdx.PackageExternalReference{{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: c.URL}}
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
