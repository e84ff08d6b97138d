package assets

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

func TestRequiredVersion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go.mod")
	content := "module x\nrequire (\n\tk8s.io/kubectl v0.36.3\n\tk8s.io/kubernetes v1.36.3\n)\nreplace (\n\tk8s.io/api => k8s.io/api v0.1.2\n)\n"
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := requiredVersion(file, "k8s.io/kubernetes"); err != nil || got != "v1.36.3" {
		t.Errorf("requiredVersion = %q, %v", got, err)
	}
	if got, err := requiredVersion(file, "k8s.io/api"); err == nil {
		t.Errorf("requiredVersion of a module that is only replaced = %q, want an error", got)
	}
}

func TestVersionFlagsSetMajorAndMinor(t *testing.T) {
	const p = " -X k8s.io/component-base/version."
	if got, want := versionFlags("v1.36.3"), p+"gitVersion=v1.36.3"+p+"gitMajor=1"+p+"gitMinor=36"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestArtifactKeysAreUnique(t *testing.T) {
	hack, err := FindHack()
	if err != nil {
		t.Fatal(err)
	}
	kubernetes, err := Kubernetes(hack)
	if err != nil {
		t.Fatal(err)
	}
	certManager, err := certManager(hack)
	if err != nil {
		t.Fatal(err)
	}
	vault, err := vault(hack)
	if err != nil {
		t.Fatal(err)
	}
	osm, err := Builder{}.osm(hack)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	all := []build.Artifact{kubernetes, Containerd(), Runc(), CNI(), CoreDNS(hack), certManager, vault, osm, nodeImages(hack, "/c/one"), nodeImages(hack, "/c/two")}
	for _, s := range servers() {
		all = append(all, s.artifact(hack))
	}
	for _, a := range all {
		key, err := build.Key(a)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same key", a.Name, other)
		}
		seen[key] = a.Name
	}
}

// The operator uses the types of the version that the tests run.
func TestCertManagerIsTheVersionOfTheOperator(t *testing.T) {
	hack, err := FindHack()
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, file := range []string{filepath.Join(hack, "certmanager", "go.mod"), filepath.Join(hack, "..", "go.mod")} {
		version, err := requiredVersion(file, certManagerModule)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, version)
	}
	if versions[0] != versions[1] {
		t.Errorf("the tests run cert-manager %s, and the operator uses the types of %s", versions[0], versions[1])
	}
}
