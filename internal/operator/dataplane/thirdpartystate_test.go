package dataplane

import (
	"maps"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestUnusualThirdPartyWorkloads have fields that users leave out, or write in another form.
func TestUnusualThirdPartyWorkloads(t *testing.T) {
	for name, c := range map[string]struct {
		object             *unstructured.Unstructured
		complete, onDelete bool
	}{
		"CloneSet without replicas":                   {parse(t, cloneSetText, "replicas: 2", "size: 2", "updatedReplicas: 2", "updatedReplicas: 1"), false, false},
		"CloneSet without replicas, with one pod":     {parse(t, cloneSetText, "  replicas: 2", "  size: 2", "eplicas: 2", "eplicas: 1"), true, false},
		"CloneSet whose earlier pod remains":          {parse(t, cloneSetText, "4, replicas: 2", "4, replicas: 3"), false, false},
		"CloneSet with a partition of 0 as text":      {parse(t, cloneSetText, "0%", `"0"`), true, false},
		"StatefulSet with an unready pod":             {parse(t, kruiseSetText, "readyReplicas: 2", "readyReplicas: 1"), false, false},
		"DeploymentConfig with a new spec":            {parse(t, deploymentConfigText, "observedGeneration: 4", "observedGeneration: 3"), false, false},
		"DeploymentConfig that updates":               {parse(t, deploymentConfigText, "updatedReplicas: 2", "updatedReplicas: 1"), false, false},
		"DeploymentConfig that follows an image":      {parse(t, deploymentConfigText, "{type: ConfigChange}", "{type: ImageChange}"), true, true},
		"DeploymentConfig with triggers without form": {parse(t, deploymentConfigText, "{type: ConfigChange}", "ConfigChange"), true, true},
	} {
		if s := stateOf(c.object); s.isDone(0) != c.complete || s.onDelete != c.onDelete {
			t.Errorf("%s: complete %t, onDelete %t; want %t, %t", name, s.isDone(0), s.onDelete, c.complete, c.onDelete)
		}
	}
}

// PodDisruptionBudgets select pods by labels. The template of a Rollout may be in another object, and it counts before the selector.
func TestLabelsOfThirdPartyPods(t *testing.T) {
	const template, selector = "template: {metadata: {labels: {app: web}}}", "selector: {matchLabels: {app: selected}}"
	for name, c := range map[string]struct {
		changed string
		want    map[string]string
	}{
		"template":                {template, map[string]string{"app": "web"}},
		"selector":                {selector, map[string]string{"app": "selected"}},
		"template and selector":   {template + "\n  " + selector, map[string]string{"app": "web"}},
		"several labels":          {"template: {metadata: {labels: {app: web, tier: front}}}", map[string]string{"app": "web", "tier": "front"}},
		"a label that is no text": {"template: {metadata: {labels: {app: web, tier: 1}}}", map[string]string{"app": "web"}},
		"neither":                 {"other: {}", nil},
	} {
		if got := stateOf(parse(t, strings.Replace(rolloutText, template, c.changed, 1))).podLabels; !maps.Equal(got, c.want) {
			t.Errorf("%s: the pods have the labels %v, want %v", name, got, c.want)
		}
	}
}

// A number that is none counts as absent, and so does one that is too large.
func TestNumbersOfThirdPartyWorkloads(t *testing.T) {
	for text, want := range map[string]int64{`3`: 3, `3.0`: 3, `"3"`: 3, `"three"`: 0, `"99999999999999999999"`: 0, `true`: 0} {
		object := parse(t, "{apiVersion: v1, kind: Number, number: "+text+"}")
		if got := numberIn(object, "number"); got != want {
			t.Errorf("%s is read as %d, want %d", text, got, want)
		}
	}
}
