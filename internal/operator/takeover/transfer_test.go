package takeover

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	ownName = "osm-webhook-osm"
	addOn   = "aks-osm-webhook-osm"
)

// configuration is a webhook configuration that calls a Service in a namespace.
func configuration(name, namespace string, labels map[string]string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
		"webhooks": []any{map[string]any{
			"name": "osm-inject.k8s.io", "timeoutSeconds": int64(20),
			"clientConfig": map[string]any{"caBundle": "cm9vdA==", "service": map[string]any{"name": "osm-injector", "namespace": namespace}},
		}},
	}}
	object.SetName(name)
	object.SetLabels(maps.Clone(labels))
	return object
}

func osmLabels() map[string]string {
	return map[string]string{names.NameLabel: names.AppName, names.InstanceLabel: "osm", names.VersionLabel: "v1.2.4", reconcileLabel: "true"}
}

func ownLabels() map[string]string {
	return map[string]string{names.NameLabel: names.AppName, names.MeshLabel: "osm"}
}

func transfer(forward bool) Transfer {
	return Transfer{
		Mesh: "osm", Namespace: "osm-mesh", From: "osm-system", Kind: "MutatingWebhookConfiguration", OwnName: ownName, Forward: forward,
		Own: configuration(ownName, "osm-mesh", ownLabels()),
	}
}

// cluster holds webhook configurations by name.
type cluster map[string]*unstructured.Unstructured

// handOver takes the steps of one reconciliation. It reports whether anything changed.
func (c cluster) handOver(t interface{ Fatal(...any) }, forward bool) (changed bool) {
	var live []*unstructured.Unstructured
	for _, object := range c {
		live = append(live, object)
	}
	steps, err := transfer(forward).Steps(live)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		switch step.Action {
		case Change:
			c[step.Before.GetName()], changed = step.After, true
		case Remove:
			delete(c, step.Before.GetName())
			changed = true
		case Lost, Unmanaged:
			t.Fatal(step.Action, step.Before.GetName())
		case Keep:
		}
	}
	return changed
}

// rollOut registers the own configuration as the rollout does: over one of OSM only with a record, and with its other metadata.
func (c cluster) rollOut() {
	live := c[ownName]
	if live == nil {
		c[ownName] = configuration(ownName, "osm-mesh", ownLabels())
		return
	}
	if live.GetLabels()[names.MeshLabel] == "" && live.GetAnnotations()[ReplacedAnnotation] == "" {
		return
	}
	object := live.DeepCopy()
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	maps.Copy(labels, ownLabels())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[apply.HashAnnotation] = "1"
	object.SetLabels(labels)
	object.SetAnnotations(annotations)
	object.Object["webhooks"] = transfer(true).Own.Object["webhooks"]
	c[ownName] = object
}

// restart writes the webhooks of OSM back into an existing configuration, with its live metadata.
func (c cluster) restart(name string) {
	if live := c[name]; live != nil {
		after := live.DeepCopy()
		after.Object["webhooks"] = configuration(name, "osm-system", nil).Object["webhooks"]
		c[name] = after
	}
}

// isInjected reports whether a new pod gets a sidecar of either mesh.
func (c cluster) isInjected() bool {
	for _, object := range c {
		if callsNamespace(object, "osm-system") || callsNamespace(object, "osm-mesh") {
			return true
		}
	}
	return false
}

// shapes are the configurations that an OSM may have.
func shapes() map[string]cluster {
	return map[string]cluster{
		"the same name": {ownName: configuration(ownName, "osm-system", osmLabels())},
		"another name":  {addOn: configuration(addOn, "osm-system", osmLabels())},
		"both":          {ownName: configuration(ownName, "osm-system", osmLabels()), addOn: configuration(addOn, "osm-system", osmLabels())},
	}
}

// TestTransferGoesForwardAndBack transfers the webhooks and takes them back. At each moment a new pod gets a sidecar, and in the end everything is as it was.
func TestTransferGoesForwardAndBack(t *testing.T) {
	for name, c := range shapes() {
		t.Run(name, func(t *testing.T) {
			before := maps.Clone(c)
			c.complete(t, true)
			if !callsNamespace(c[ownName], "osm-mesh") || c[ownName].GetLabels()[reconcileLabel] != "" {
				t.Errorf("the own configuration is %v", c[ownName].Object)
			}
			if other := c[addOn]; other != nil && len(webhooksOf(other)) > 0 {
				t.Errorf("the other configuration still calls somebody: %v", other.Object)
			}
			c.complete(t, false)
			if diff := cmp.Diff(before, c); diff != "" {
				t.Errorf("not restored (-before +after):\n%s", diff)
			}
		})
	}
}

// complete reconciles until nothing changes.
func (c cluster) complete(t interface{ Fatal(...any) }, forward bool) {
	for range 10 {
		changed := c.handOver(t, forward)
		if !c.isInjected() {
			t.Fatal("nobody injects new pods")
		}
		if forward {
			c.rollOut()
		}
		if !changed && !c.handOver(t, forward) {
			return
		}
	}
	t.Fatal("the transfer does not end")
}

// TestTransferInterrupted changes the direction at any time, and lets OSM's programs start at any time. A pod is always injected, and when the direction
// remains, the end is the same.
func TestTransferInterrupted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"the same name", "another name", "both"}).Draw(t, "shape")
		c := shapes()[name]
		before := maps.Clone(c)
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			switch rapid.SampledFrom([]string{"forward", "back", "restart"}).Draw(t, "event") {
			case "forward":
				c.handOver(t, true)
				c.rollOut()
			case "back":
				c.handOver(t, false)
			case "restart":
				for configuration := range before {
					c.restart(configuration)
				}
			}
			if !c.isInjected() {
				t.Fatalf("nobody injects new pods: %v", c)
			}
		}
		c.complete(t, false)
		if diff := cmp.Diff(map[string]*unstructured.Unstructured(before), map[string]*unstructured.Unstructured(c)); diff != "" {
			t.Fatalf("not restored (-before +after):\n%s", diff)
		}
	})
}

// TestTransferLeavesOthersAlone has configurations that are no part of the takeover.
func TestTransferLeavesOthersAlone(t *testing.T) {
	elsewhere := configuration("osm-webhook-other", "other", map[string]string{names.NameLabel: names.AppName, names.InstanceLabel: "other"})
	recorded := elsewhere.DeepCopy()
	recorded.SetAnnotations(map[string]string{ReplacedAnnotation: "{}"})
	for _, forward := range []bool{true, false} {
		steps, err := transfer(forward).Steps([]*unstructured.Unstructured{elsewhere, recorded})
		if err != nil || len(steps) > 0 {
			t.Errorf("forward %t: %v, %v", forward, steps, err)
		}
	}
	unmanaged := configuration(ownName, "third", nil)
	if steps, err := transfer(true).Steps([]*unstructured.Unstructured{unmanaged}); err != nil || len(steps) != 1 || steps[0].Action != Unmanaged {
		t.Errorf("a configuration of a third injector: %v, %v", steps, err)
	}
	ours := configuration(ownName, "osm-mesh", ownLabels())
	if steps, err := transfer(false).Steps([]*unstructured.Unstructured{ours}); err != nil || len(steps) != 1 || steps[0].Action != Lost {
		t.Errorf("a configuration whose record is gone: %v, %v", steps, err)
	}
}
