package operand

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// overlaid merges an overlay in YAML into a small Deployment, and returns the pod template.
func overlaid(t *testing.T, overlay string) (map[string]any, error) {
	t.Helper()
	const text = `
kind: Deployment
metadata: {name: osm-controller}
spec:
  selector: {matchLabels: {app: osm-controller}}
  template:
    metadata: {labels: {app: osm-controller}, annotations: {hash: a}}
    spec:
      serviceAccountName: osm-controller
      containers:
      - {name: osm-controller, image: controller:v1, env: [{name: A, value: a}], volumeMounts: [{name: certs, mountPath: /certs}]}
      volumes: [{name: certs, secret: {secretName: certs}}]
`
	deployment := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &deployment.Object); err != nil {
		t.Fatal(err)
	}
	patch, err := yaml.YAMLToJSON([]byte(overlay))
	if err != nil {
		t.Fatal(err)
	}
	err = Overlay(deployment, patch)
	template, _, _ := unstructured.NestedMap(deployment.Object, "spec", "template")
	return template, err
}

func TestOverlaysAddWhatHasNoField(t *testing.T) {
	got, err := overlaid(t, `
metadata: {labels: {team: mesh, app: osm-controller}, annotations: {note: b}}
spec:
  dnsConfig: {options: [{name: ndots, value: "1"}]}
  containers:
  - name: osm-controller
    env: [{name: HTTPS_PROXY, value: "http://proxy"}]
    volumeMounts: [{name: extra, mountPath: /extra}]
  volumes: [{name: extra, configMap: {name: extra, defaultMode: 420}}]
`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	if err := yaml.Unmarshal([]byte(`
metadata: {labels: {app: osm-controller, team: mesh}, annotations: {hash: a, note: b}}
spec:
  serviceAccountName: osm-controller
  dnsConfig: {options: [{name: ndots, value: "1"}]}
  containers:
  - name: osm-controller
    image: controller:v1
    env: [{name: HTTPS_PROXY, value: "http://proxy"}, {name: A, value: a}]
    volumeMounts: [{name: extra, mountPath: /extra}, {name: certs, mountPath: /certs}]
  volumes: [{name: extra, configMap: {name: extra, defaultMode: 420}}, {name: certs, secret: {secretName: certs}}]
`), &want); err != nil {
		t.Fatal(err)
	}
	var before, after corev1.PodTemplateSpec
	if err := errors.Join(roundTrip(want, &before), roundTrip(got, &after)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the pod template (-want +got):\n%s", diff)
	}
}

func TestOverlaysThatDoNotFitAreRejected(t *testing.T) {
	for name, test := range map[string]struct{ overlay, want string }{
		"an unknown field":       {"{spec: {colour: green}}", `unknown field "colour"`},
		"a directive":            {"{spec: {containers: [{name: osm-controller, $patch: delete}]}}", `unknown field "$patch"`},
		"a list":                 {"[a]", "it is not a patch of a pod template"},
		"an image":               {"{spec: {containers: [{name: osm-controller, image: mine}]}}", "the container osm-controller has an image"},
		"a new container":        {"{spec: {containers: [{name: mine}]}}", `the pods have no container "mine"`},
		"a new init container":   {"{spec: {initContainers: [{name: osm-controller}]}}", `the pods have no container "osm-controller"`},
		"an ephemeral container": {"{spec: {ephemeralContainers: [{name: mine}]}}", "no ephemeral containers"},
		"an image volume":        {"{spec: {volumes: [{name: mine, image: {reference: mine}}]}}", "the volume mine has an image"},
		"another identity":       {"{spec: {serviceAccountName: mine}}", "spec.serviceAccountName belongs to the operator"},
		"the old identity field": {"{spec: {serviceAccount: mine}}", "spec.serviceAccountName belongs to the operator"},
		"a label of the pods":    {"{metadata: {labels: {app: mine}}}", "the operator sets the label app itself"},
		"an annotation":          {"{metadata: {annotations: {hash: mine}}}", "the operator sets the annotation hash itself"},
		"a name":                 {"{metadata: {name: mine}}", "metadata may have labels and annotations only"},
		"a removed identity":     {"{spec: {serviceAccountName: null}}", "spec.serviceAccountName belongs to the operator"},
		"a removed image":        {"{spec: {containers: [{name: osm-controller, image: null}]}}", "the container osm-controller has an image"},
		"removed containers":     {"{spec: {containers: null}}", "an overlay cannot remove the container osm-controller"},
		"a removed label":        {"{metadata: {labels: {app: null}}}", "the operator sets the label app itself"},
		"removed labels":         {"{metadata: {labels: null}}", "the operator sets the label app itself"},
		"removed annotations":    {"{metadata: {annotations: null}}", "the operator sets the annotation hash itself"},
		"removed metadata":       {"{metadata: null}", "the operator sets the label app itself"},
		"a removed pod":          {"{spec: null}", "spec.serviceAccountName belongs to the operator"},
	} {
		before, err := overlaid(t, "{}")
		if err != nil {
			t.Fatal(err)
		}
		after, err := overlaid(t, test.overlay)
		var rejected *OverlayError
		if !errors.As(err, &rejected) || rejected.Deployment != "osm-controller" || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q", name, err, test.want)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s: the pod template changed (-before +after):\n%s", name, diff)
		}
	}
}
