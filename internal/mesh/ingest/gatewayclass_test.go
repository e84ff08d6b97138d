package ingest

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestGatewayClass checks what the annotations of a class allow. Classes of another controller are not read.
func TestGatewayClass(t *testing.T) {
	for name, test := range map[string]struct {
		controller  string
		annotations map[string]string
		want        *catalog.GatewayClass
	}{
		"another controller": {"example.com/controller", nil, nil},
		"another mesh":       {names.GatewayController("other"), nil, nil},
		"no annotations":     {names.GatewayController("osm"), nil, &catalog.GatewayClass{Name: "x"}},
		"all annotations": {
			names.GatewayController("osm"),
			map[string]string{
				names.AllowedNamespacesAnnotation: "a,b", names.GatewayDeploymentAnnotation: names.GatewayDeploymentPerGateway,
				names.AllowedPortsAnnotation: "8443,x,65536,-1,,8080", names.AllowedMetadataAnnotation: "example.com/,team",
			},
			&catalog.GatewayClass{Name: "x", Namespaces: []string{"a", "b"}, PerGateway: true, Ports: []uint16{8443, 8080}, Metadata: []string{"example.com/", "team"}},
		},
		"another deployment": {
			names.GatewayController("osm"), map[string]string{names.GatewayDeploymentAnnotation: "Shared"}, &catalog.GatewayClass{Name: "x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			object := smi(t, "controllerName: "+test.controller)
			object.SetAnnotations(test.annotations)
			got, problems := GatewayClass("osm")(object)
			expect(t, test.want, got, nil, problems)
		})
	}
}

// TestKeysOfMetadata checks that the entry of a Gateway has the keys of its labels and annotations, and not their values.
func TestKeysOfMetadata(t *testing.T) {
	got, problems := Gateway(smi(t, "{gatewayClassName: osm, infrastructure: {labels: {team: a, b: c}, annotations: {example.com/note: long, team: a}}}"))
	if len(problems) > 0 || !slices.Equal(got.Metadata, []string{"b", "example.com/note", "team"}) {
		t.Errorf("the entry is %+v with %v", got, problems)
	}
}

// TestGatewayParameters checks that a reference to parameters is part of the entry, whose status explains it.
func TestGatewayParameters(t *testing.T) {
	for spec, want := range map[string]string{
		"{}":                   "",
		"{infrastructure: {}}": "",
		"{infrastructure: {parametersRef: {group: '', kind: ConfigMap, name: p}}}": "ConfigMap p",
	} {
		gateway, problems := Gateway(smi(t, spec))
		if len(problems) > 0 || gateway.Parameters != want {
			t.Errorf("%s: parameters %q with the problems %v, want %q", spec, gateway.Parameters, problems, want)
		}
	}
}
