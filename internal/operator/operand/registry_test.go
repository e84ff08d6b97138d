package operand

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFrozenVersionsUseTheRegistry(t *testing.T) {
	catalogue, err := OpenCatalogue(withFrozen(t, "v0.9.0"), "v0.10.0", testImages())
	if err != nil {
		t.Fatal(err)
	}
	catalogue.UseRegistry("registry.example.com/osm/")
	want := Images{
		Controller: "registry.example.com/osm/openservicemesh/osm-controller", Injector: "registry.example.com/osm/openservicemesh/osm-injector",
		Init: "registry.example.com/osm/openservicemesh/init", Sidecar: "registry.example.com/osm/openservicemesh/envoy",
	}
	for version, want := range map[string]Images{"v0.9.0": want, "v0.10.0": testImages()} {
		release, err := catalogue.Release(version)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, release.Images); diff != "" {
			t.Errorf("images of %s (-want +got):\n%s", version, diff)
		}
	}
}

func TestImagesInUseAreKept(t *testing.T) {
	const recorded = "docker.io/openservicemesh/osm-controller:v0.3.0@sha256:1"
	for used, want := range map[string]string{
		"": recorded,
		"registry.example.com/osm/openservicemesh/osm-controller:v0.3.0": "registry.example.com/osm/openservicemesh/osm-controller:v0.3.0",
		"registry.example.com/osm-controller@sha256:1":                   "registry.example.com/osm-controller@sha256:1",
		"registry.example.com/osm-controller@sha256:2":                   "registry.example.com/osm-controller@sha256:2",
		"registry.example.com:5000/any:thing@sha256:1":                   "registry.example.com:5000/any:thing@sha256:1",
		"registry.example.com/osm/osm-controller:v0.3.0-patched":         recorded,
		"registry.example.com/controller:v0.3.0":                         recorded,
	} {
		if got := (Images{Controller: recorded}).Keep(Images{Controller: used}).Controller; got != want {
			t.Errorf("instead of %q: %s, want %s", used, got, want)
		}
	}
}
