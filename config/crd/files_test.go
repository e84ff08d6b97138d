package crd_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// maxSize is the maximum size of a definition in bytes of JSON. kubectl apply writes it into an annotation, and annotations have at most
// 256 KiB.
const maxSize = 200 << 10

func TestDefinitionsAreSmall(t *testing.T) {
	for name, files := range map[string]fs.FS{"bases": crd.Own, "smi": crd.SMI, "mcs": crd.MCS} {
		for i, content := range contents(t, files) {
			definition, err := yaml.YAMLToJSON(content)
			if err != nil {
				t.Fatal(err)
			}
			if len(definition) > maxSize {
				t.Errorf("file %d of %s has %d bytes of JSON, at most %d are allowed", i, name, len(definition), maxSize)
			}
		}
	}
}

func TestServedVersions(t *testing.T) {
	want := map[string]sets.Set[string]{
		"meshes.operator.openservicemesh.io":                sets.New("v1alpha1"),
		"meshrevisions.operator.openservicemesh.io":         sets.New("v1alpha1"),
		"meshpeers.operator.openservicemesh.io":             sets.New("v1alpha1"),
		"meshconfigs.config.openservicemesh.io":             sets.New("v1alpha1", "v1alpha2"),
		"backpressures.policy.openservicemesh.io":           sets.New("v1alpha1"),
		"retries.policy.openservicemesh.io":                 sets.New("v1alpha1"),
		"upstreamtrafficsettings.policy.openservicemesh.io": sets.New("v1alpha1"),
		"udproutes.specs.smi-spec.io":                       sets.New("v1alpha4"),
		"traffictargets.access.smi-spec.io":                 sets.New("v1alpha3"),
		"httproutegroups.specs.smi-spec.io":                 sets.New("v1alpha4"),
		"meshrootcertificates.config.openservicemesh.io":    sets.New("v1alpha2"),
		"telemetries.policy.openservicemesh.io":             sets.New("v1alpha1"),
		"extensionservices.config.openservicemesh.io":       sets.New("v1alpha2"),
		"externalauthorizations.policy.openservicemesh.io":  sets.New("v1alpha1"),
		"egresses.policy.openservicemesh.io":                sets.New("v1alpha1"),
		"ingressbackends.policy.openservicemesh.io":         sets.New("v1alpha1"),
		"tcproutes.specs.smi-spec.io":                       sets.New("v1alpha4"),
		"trafficsplits.split.smi-spec.io":                   sets.New("v1alpha2", "v1alpha4"),
		"serviceexports.multicluster.x-k8s.io":              sets.New("v1alpha1", "v1beta1"),
		"serviceimports.multicluster.x-k8s.io":              sets.New("v1alpha1", "v1beta1"),
	}
	got := map[string]sets.Set[string]{}
	for _, definition := range envtest.Definitions(t, crd.Own, crd.SMI, crd.MCS) {
		served := sets.New[string]()
		for _, version := range definition.Spec.Versions {
			if version.Served {
				served.Insert(version.Name)
			}
			if version.Subresources == nil || version.Subresources.Status == nil {
				t.Errorf("%s %s has no status", definition.Name, version.Name)
			}
		}
		got[definition.Name] = served
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("served versions (-want +got):\n%s", diff)
	}
}

// TestVersionsHaveEqualSchemas checks that a write in one version never prunes a field of the other. There is no conversion.
func TestVersionsHaveEqualSchemas(t *testing.T) {
	compared := 0
	for _, definition := range envtest.Definitions(t, crd.Own, crd.SMI, crd.MCS) {
		versions := definition.Spec.Versions
		for _, other := range versions[1:] {
			compared++
			first, second := versions[0].Schema.OpenAPIV3Schema, other.Schema.OpenAPIV3Schema
			if diff := cmp.Diff(first.Properties, second.Properties); diff != "" {
				t.Errorf("the schemas of %s differ:\n%s", definition.Name, diff)
			}
		}
	}
	if compared != 4 {
		t.Errorf("%d pairs of versions were compared, want those of TrafficSplit, MeshConfig, ServiceExport and ServiceImport", compared)
	}
}

func TestSMIDefinitionsHaveTheLabel(t *testing.T) {
	for _, definition := range envtest.Definitions(t, crd.SMI) {
		if got := definition.Labels["app.kubernetes.io/name"]; got != "openservicemesh.io" {
			t.Errorf("the label app.kubernetes.io/name of %s is %q, want openservicemesh.io", definition.Name, got)
		}
	}
}

// kubectl get shows whether a policy is in force with all its references.
func TestPoliciesHaveAReadyColumn(t *testing.T) {
	checked := 0
	for _, definition := range envtest.Definitions(t, crd.Own, crd.SMI, crd.MCS) {
		group, kind := definition.Spec.Group, definition.Spec.Names.Kind
		if kind == "UDPRoute" || !strings.HasSuffix(group, "smi-spec.io") && group != "policy.openservicemesh.io" {
			continue
		}
		checked++
		for _, version := range definition.Spec.Versions {
			if !slices.ContainsFunc(version.AdditionalPrinterColumns, func(c apiextensionsv1.CustomResourceColumnDefinition) bool {
				return c.Name == "Ready" && c.Priority == 0 && c.JSONPath == `.status.conditions[?(@.type=="Ready")].status`
			}) {
				t.Errorf("%s %s has no column Ready", kind, version.Name)
			}
			if !slices.ContainsFunc(version.AdditionalPrinterColumns, func(c apiextensionsv1.CustomResourceColumnDefinition) bool {
				return c.Name == "Reason" && c.Priority == 0 && c.JSONPath == `.status.conditions[?(@.type=="Ready")].reason`
			}) {
				t.Errorf("%s %s has no column Reason", kind, version.Name)
			}
		}
	}
	if checked != 11 {
		t.Errorf("%d kinds of policies are checked, want 11", checked)
	}
}
