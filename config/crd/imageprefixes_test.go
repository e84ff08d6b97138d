package crd_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testImagesHavePermittedPrefixes applies the component image-prefixes, which limits the images that a MeshConfig may name.
func testImagesHavePermittedPrefixes(t *testing.T, c client.Client) {
	for _, namespace := range []string{"prefixed-system", "osm-operator-system"} {
		if err := c.Create(t.Context(), parse(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	config := func(sidecar string) string {
		return "{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: prefixed-system}, spec: {sidecar: {" + sidecar + "}}}"
	}
	stored := parse(t, config("envoyImage: example.com/envoy:1"))
	if err := c.Create(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../components/image-prefixes/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range strings.Split(string(text), "\n---\n") {
		object := parse(t, document)
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Delete(t.Context(), object) })
	}
	const rejected = `"example.com/envoy:1" begins with no permitted prefix: openservicemesh/, docker.io/openservicemesh/ (ConfigMap osm-image-prefixes in namespace osm-operator-system)`
	awaitCreation(t, c, config("envoyImage: example.com/envoy:1"), "spec.sidecar.envoyImage "+rejected)
	awaitCreation(t, c, config("initContainerImage: example.com/envoy:1"), "spec.sidecar.initContainerImage "+rejected)
	awaitCreation(t, c, config("envoyWindowsImage: example.com/envoy:1"), "spec.sidecar.envoyWindowsImage "+rejected)
	for patch, want := range map[string]string{
		`{"spec":{"sidecar":{"logLevel":"debug"}}}`:                               "",
		`{"spec":{"sidecar":{"envoyImage":"docker.io/openservicemesh/envoy:1"}}}`: "",
		`{"spec":{"sidecar":{"initContainerImage":"openservicemeshes/init:1"}}}`:  "begins with no permitted prefix",
	} {
		err := c.Patch(t.Context(), stored.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(patch)), client.DryRunAll)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("the patch %s: %v, want %q", patch, err, want)
		}
	}
}
