package assets

import (
	"path/filepath"
	"testing"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
)

func TestArtifactKeysAreUnique(t *testing.T) {
	hack, err := FindHack()
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
	all := []build.Artifact{Containerd(), Runc(), CNI(), CoreDNS(hack), certManager, vault, osm, nodeImages(hack, "/c/one"), nodeImages(hack, "/c/two")}
	pins, err := kubernetesPins(hack)
	if err != nil {
		t.Fatal(err)
	}
	for _, pin := range pins {
		kubernetes, err := Kubernetes(hack, pin.minor)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, kubernetes)
	}
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
