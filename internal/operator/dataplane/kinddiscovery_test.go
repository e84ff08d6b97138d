package dataplane

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
)

// A version of an API may have other kinds only, and the desired one may be anywhere among them.
func TestKindsOfAVersion(t *testing.T) {
	for _, test := range []struct {
		kinds    []string
		isServed bool
	}{
		{[]string{"AnalysisRun"}, false},
		{[]string{"Rollout"}, true},
		{[]string{"Rollout", "AnalysisRun"}, true},
		{[]string{"AnalysisRun", "Rollout"}, true},
	} {
		w := newKindWatches(nil, servedKinds{"argoproj.io/v1alpha1": test.kinds}, nil, time.Now)
		if got, err := w.isServed(rolloutKind, discoveryPeriod); err != nil || got != test.isServed {
			t.Errorf("a Rollout is served among %q: %t (%v), want %t", test.kinds, got, err, test.isServed)
		}
	}
}

// brokenDiscovery answers until it is broken.
type brokenDiscovery struct {
	servedKinds
	err error
}

func (d *brokenDiscovery) ServerResourcesForGroupVersion(version string) (*metav1.APIResourceList, error) {
	if d.err != nil {
		return nil, d.err
	}
	return d.servedKinds.ServerResourcesForGroupVersion(version)
}

// An API server that does not answer for a while serves what it has served. Before its first answer, nothing is known.
func TestDiscoveryThatFails(t *testing.T) {
	now, broken := noon, errors.New("no connection")
	discovery := &brokenDiscovery{servedKinds: servedKinds{"argoproj.io/v1alpha1": {"Rollout"}}, err: broken}
	objects := &informerCache{informer: controllertest.NewFakeInformer(controllertest.Synced)}
	w := newKindWatches(objects, discovery, nil, func() time.Time { return now })
	if err := w.ensure(t.Context(), rolloutKind, discoveryPeriod); !errors.Is(err, broken) {
		t.Errorf("before an answer, the error is %v, want %v", err, broken)
	}
	discovery.err = nil
	if err := w.ensure(t.Context(), rolloutKind, discoveryPeriod); err != nil {
		t.Errorf("after an answer, the error is %v", err)
	}
	discovery.err, now = broken, now.Add(discoveryPeriod)
	if err := w.ensure(t.Context(), rolloutKind, discoveryPeriod); err != nil || objects.removed > 0 {
		t.Errorf("during an interruption, the error is %v, and %d watches have ended", err, objects.removed)
	}
	if served, err := w.isServed(cloneSetKind, discoveryPeriod); served || !errors.Is(err, broken) {
		t.Errorf("another kind is served: %t (%v), want the error", served, err)
	}
}
