package chart_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/dist"
	"github.com/openservicemesh/osm-operator/internal/cli/images"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
)

// folder is the chart.
const folder = "../../../dist/chart"

// helm runs Helm and returns its output.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program := os.Getenv("HELM_BIN")
	if program == "" {
		t.Fatal("HELM_BIN is not set: this test runs Helm, set it to the path of the program (go run -C hack ./tool helm builds it)")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = errors.New(stderr.String())
	}
	return stdout.String(), err
}

// template renders the chart into a namespace.
func template(t *testing.T, namespace string, args ...string) map[string]*unstructured.Unstructured {
	t.Helper()
	text, err := helm(t, append([]string{"template", "osm-operator", folder, "--namespace", namespace}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, []byte(text))
}

// objects reads a YAML stream by kinds and names.
func objects(t *testing.T, stream []byte) map[string]*unstructured.Unstructured {
	t.Helper()
	list, err := manifests.Decode(stream)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*unstructured.Unstructured{}
	for _, object := range list {
		all[object.GetKind()+" "+object.GetName()] = object
	}
	return all
}

func TestChartIsValid(t *testing.T) {
	if text, err := helm(t, "lint", "--strict", folder); err != nil {
		t.Errorf("helm lint: %v\n%s", err, text)
	}
}

// The default values install the objects of the manifests. Helm creates the namespace, and keeps definitions.
func TestChartInstallsTheManifests(t *testing.T) {
	want := objects(t, dist.Operator)
	delete(want, "Namespace osm-operator-system")
	got := template(t, "osm-operator-system")
	for _, object := range got {
		annotations := object.GetAnnotations()
		if _, kept := annotations["helm.sh/resource-policy"]; kept != (object.GetKind() == "CustomResourceDefinition") {
			t.Errorf("%s %s is kept: %t", object.GetKind(), object.GetName(), kept)
		}
		delete(annotations, "helm.sh/resource-policy")
		if len(annotations) > 0 {
			object.SetAnnotations(annotations)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the chart differs from the manifests (-manifests +chart):\n%s", diff)
	}
}

// No object refers to the default namespace of the operator.
func TestChartInAnotherNamespace(t *testing.T) {
	for name, object := range template(t, "operators") {
		if text, err := object.MarshalJSON(); err != nil || strings.Contains(string(text), "osm-operator-system") {
			t.Errorf("%s refers to osm-operator-system: %v", name, err)
		}
		if namespace := object.GetNamespace(); namespace != "" && namespace != "operators" {
			t.Errorf("%s is in namespace %s", name, namespace)
		}
	}
}

// The value imageRegistry has the same effect as the patch of osm bundle images: one value replaces all images.
func TestImageRegistryReplacesAllImages(t *testing.T) {
	const mirror = "registry.example.com/osm"
	deployment, err := template(t, "operators", "--set", "imageRegistry="+mirror)["Deployment osm-operator"].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	all, err := images.List(mirror)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"name":"OSM_IMAGE_REGISTRY","value":"` + mirror + `"`; !strings.Contains(string(deployment), want) {
		t.Errorf("the Deployment does not contain %s: images of recorded versions come from elsewhere", want)
	}
	for _, image := range all {
		want := `"image":"` + image.Target + `"`
		if image.Variable != "" {
			want = `"name":"` + image.Variable + `","value":"` + image.Target + `"`
		}
		if image.Version == all[0].Version && !strings.Contains(string(deployment), want) {
			t.Errorf("the Deployment does not contain %s: %s", want, deployment)
		}
	}
}

func TestValues(t *testing.T) {
	all := template(t, "operators", "--set", strings.Join([]string{
		"images.envoy=mirror/envoy@sha256:1", "imageRegistry=registry.example.com/osm", "imagePullPolicy=Always", "imagePullSecrets[0].name=registry",
		"replicas=2", "logLevel=debug", "resources.limits.memory=1Gi", "priorityClassName=", "nodeSelector.zone=a", "tolerations[0].key=infra",
		"podAnnotations.team=mesh", "podLabels.cost=platform", "extraArgs[0]=--mount-delay=3m", "env[0].name=HTTPS_PROXY", "env[0].value=http://proxy",
		"terminationGracePeriodSeconds=60", "serviceAccountAnnotations.cloud=role", "affinity.nodeAffinity.x=1", "crds.keep=false", "admissionPolicies.install=false",
	}, ","))
	deployment, err := all["Deployment osm-operator"].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"value":"mirror/envoy@sha256:1"`, `"image":"registry.example.com/osm/openservicemesh/osm-operator:`, `"imagePullPolicy":"Always"`,
		`"imagePullSecrets":[{"name":"registry"}]`, `"replicas":2`, `"--log-level=debug"`, `"memory":"1Gi"`, `"nodeSelector":{"zone":"a"}`,
		`"tolerations":[{"key":"infra"}]`, `"labels":{"app":"osm-operator","cost":"platform"}`, `"--metrics-bind-address=:8443","--mount-delay=3m"]`,
		`{"name":"HTTPS_PROXY","value":"http://proxy"}],"image"`, `"terminationGracePeriodSeconds":60`, `"team":"mesh"`, `"affinity":{"nodeAffinity":{"x":1}}`,
	} {
		if !strings.Contains(string(deployment), want) {
			t.Errorf("the Deployment does not contain %s", want)
		}
	}
	if strings.Contains(string(deployment), "priorityClassName") {
		t.Error("the Deployment has a priority class")
	}
	if annotations := all["ServiceAccount osm-operator"].GetAnnotations(); annotations["cloud"] != "role" {
		t.Errorf("the ServiceAccount has the annotations %v", annotations)
	}
	for name, object := range all {
		if strings.HasPrefix(name, "ValidatingAdmission") || object.GetAnnotations()["helm.sh/resource-policy"] != "" {
			t.Errorf("%s is installed or kept", name)
		}
	}
	for name := range template(t, "operators", "--set", "crds.install=false") {
		if strings.HasPrefix(name, "CustomResourceDefinition") {
			t.Errorf("%s is installed", name)
		}
	}
}

// A value with an unknown name or an invalid type is rejected, with its name.
func TestInvalidValues(t *testing.T) {
	for setting, want := range map[string]string{
		"image.repository=x": "image", "replicas=many": "replicas", "logLevel=loud": "logLevel", "images.contour=x": "contour", "imagePullPolicy=Sometimes": "imagePullPolicy",
		"podLabels.app=x": "app", "extraArgs[0]=mount-delay": "extraArgs",
	} {
		_, err := helm(t, "template", "osm-operator", folder, "--set", setting)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one about %s", setting, err, want)
		}
	}
}

// Every image has a value that replaces it, and the schema permits no other one.
func TestValuesHaveEachImage(t *testing.T) {
	want := []string{"operator"}
	for _, image := range builtin.Images() {
		want = append(want, image.HelmKey)
	}
	slices.Sort(want)
	var values struct{ Images map[string]string }
	var schema struct {
		Properties struct {
			Images struct{ Properties map[string]any }
		}
	}
	for name, target := range map[string]any{"values.yaml": &values, "values.schema.json": &schema} {
		text, err := os.ReadFile(filepath.Join("../../../config/helm", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, target); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, got := range map[string][]string{
		"values.yaml": slices.Sorted(maps.Keys(values.Images)), "values.schema.json": slices.Sorted(maps.Keys(schema.Properties.Images.Properties)),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("config/helm/%s: images (-want +got):\n%s", name, diff)
		}
	}
}
