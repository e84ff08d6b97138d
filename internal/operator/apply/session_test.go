package apply_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A reconciliation that applies nothing does not make the operator forget what it has applied.
func TestRecreatedObjectIsReported(t *testing.T) {
	c := fake.NewClientBuilder().WithScheme(scheme.Scheme).Build()
	recorder := events.NewFakeRecorder(10)
	applier := apply.New(c, recorder)
	owner := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "owner", UID: "uid"}}
	for _, want := range []string{"Normal Created", "Warning DriftRepaired"} {
		if _, err := applier.For(owner).Apply(t.Context(), configMap("shop")); err != nil {
			t.Fatal(err)
		}
		if event := <-recorder.Events; !strings.HasPrefix(event, want) {
			t.Errorf("event %q, want %s", event, want)
		}
		if err := c.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "trust"}}); err != nil {
			t.Fatal(err)
		}
		applier.For(owner)
	}
}

// An object that ignores drift is in the note of every reconciliation, and has one Event.
func TestIgnoredObjectHasOneEvent(t *testing.T) {
	c := fake.NewClientBuilder().WithScheme(scheme.Scheme).Build()
	recorder := events.NewFakeRecorder(10)
	applier := apply.New(c, recorder)
	owner := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "owner", UID: "uid"}}
	ignored := configMap("shop")
	ignored.SetAnnotations(map[string]string{names.DriftAnnotation: names.DriftIgnore})
	if err := c.Create(t.Context(), ignored.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		session := applier.For(owner)
		if note := session.IgnoredObjects(); note != "" {
			t.Errorf("a new reconciliation has the note %q", note)
		}
		if outcome, err := session.Apply(t.Context(), configMap("shop")); err != nil || outcome != apply.DriftIgnored {
			t.Errorf("%s (%v)", outcome, err)
		}
		if note := session.IgnoredObjects(); !strings.Contains(note, "shop/trust") {
			t.Errorf("the note is %q", note)
		}
	}
	if len(recorder.Events) != 1 {
		t.Errorf("%d events, want one", len(recorder.Events))
	}
}
