package sbom

import (
	"bytes"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
)

var created = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sample returns the subject of an image with a program and a Debian package.
func sample(t *testing.T) Subject {
	t.Helper()
	components := linked(&debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "github.com/openservicemesh/osm-operator", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "k8s.io/api", Version: "v0.37.2"},
			{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v1.1.0"}},
		},
	}, "v1.2.3")
	libc, err := Downloaded("deb:libc6", "2.36-9+deb12u1", strings.Repeat("ab", 32), "arm64")
	if err != nil {
		t.Fatal(err)
	}
	return Subject{
		Name: "docker.io/openservicemesh/init", Version: "v1.2.3", IsImage: true, SHA256: strings.Repeat("01", 32), Created: created,
		Components: Sort(append(components, libc)),
	}
}

// desired are the components of the sample.
var desired = []string{
	"pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=arm64",
	"pkg:golang/example.com/new@v1.1.0",
	"pkg:golang/github.com/openservicemesh/osm-operator@v1.2.3",
	"pkg:golang/k8s.io/api@v0.37.2",
	"pkg:golang/stdlib@1.26.8",
}

func checkURLs(t *testing.T, urls []string) {
	t.Helper()
	if diff := cmp.Diff(desired, urls); diff != "" {
		t.Errorf("components differ (-want +got):\n%s", diff)
	}
}

func TestSPDXListsModulesAndPackages(t *testing.T) {
	subject := sample(t)
	raw, err := SPDX(subject)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := spdxjson.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, p := range doc.Packages[1:] {
		urls = append(urls, p.PackageExternalReferences[0].Locator)
	}
	checkURLs(t, urls)
	if got := doc.Packages[0]; got.PackageName != subject.Name || got.PackageChecksums[0].Value != subject.SHA256 || got.PrimaryPackagePurpose != "CONTAINER" {
		t.Errorf("the document describes %+v", got)
	}
	if len(doc.Relationships) != len(doc.Packages) || doc.CreationInfo.Created != "2026-03-01T12:00:00Z" {
		t.Errorf("%d relationships of %d packages, created %s", len(doc.Relationships), len(doc.Packages), doc.CreationInfo.Created)
	}
}

func TestCycloneDXListsModulesAndPackages(t *testing.T) {
	subject := sample(t)
	raw, err := CycloneDX(subject)
	if err != nil {
		t.Fatal(err)
	}
	bom := new(cyclonedx.BOM)
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(raw), cyclonedx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, c := range *bom.Components {
		urls = append(urls, c.PackageURL)
	}
	checkURLs(t, urls)
	if got := bom.Metadata.Component; got.Name != subject.Name || (*got.Hashes)[0].Value != subject.SHA256 || got.Type != cyclonedx.ComponentTypeContainer {
		t.Errorf("the document describes %+v", got)
	}
}

func TestSameSubjectGivesSameDocuments(t *testing.T) {
	for name, write := range map[string]func(Subject) ([]byte, error){"SPDX": SPDX, "CycloneDX": CycloneDX} {
		first, err := write(sample(t))
		if err != nil {
			t.Fatal(err)
		}
		second, err := write(sample(t))
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: two documents of the same subject differ (%v)", name, err)
		}
	}
}

func TestModulesAreReadFromPrograms(t *testing.T) {
	file, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	components, err := Modules(program, "v1.2.3")
	if err != nil || len(components) < 2 || components[0].URL != "pkg:golang/github.com/openservicemesh/osm-operator/hack@v1.2.3" {
		t.Errorf("the components are %v (%v)", components, err)
	}
}

func TestProgramsWithoutModulesAreReported(t *testing.T) {
	if _, err := Modules([]byte("#!/bin/sh"), "v1"); err == nil || !strings.Contains(err.Error(), "does not list its modules") {
		t.Errorf("the error is %v", err)
	}
	if _, err := Downloaded("rpm:glibc", "1", "", "amd64"); err == nil || !strings.Contains(err.Error(), "rpm:glibc") {
		t.Errorf("the error is %v", err)
	}
}
