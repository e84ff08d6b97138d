package dataplane

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
)

// countedWatches watch a kind that is served. The result has the kinds, the watches and the time.
func countedWatches() (*kindWatches, servedKinds, *informerCache, *time.Time) {
	now, served := noon, servedKinds{"argoproj.io/v1alpha1": {"Rollout"}}
	objects := &informerCache{informer: controllertest.NewFakeInformer(controllertest.Synced)}
	return newKindWatches(objects, served, nil, func() time.Time { return now }), served, objects, &now
}

// A watch that is released begins again with the next look, and one that is not there is not released.
func TestReleasedWatches(t *testing.T) {
	w, _, objects, _ := countedWatches()
	for _, step := range []struct {
		releases       bool
		begun, removed int
	}{{true, 0, 0}, {false, 1, 0}, {false, 1, 0}, {true, 1, 1}, {true, 1, 1}, {false, 2, 1}} {
		look := func() error { return w.ensure(t.Context(), rolloutKind, discoveryPeriod) }
		if step.releases {
			look = func() error { return w.release(t.Context(), rolloutKind) }
		}
		if err := look(); err != nil || objects.begun != step.begun || objects.removed != step.removed {
			t.Fatalf("%+v: %d watches began, %d ended (%v)", step, objects.begun, objects.removed, err)
		}
	}
}

// A kind that is gone is not watched, and its watch ends once.
func TestWatchesOfKindsThatAreGone(t *testing.T) {
	w, served, objects, now := countedWatches()
	for _, step := range []struct {
		kinds          []string
		begun, removed int
	}{{[]string{"Rollout"}, 1, 0}, {nil, 1, 1}, {nil, 1, 1}, {[]string{"Rollout"}, 2, 1}} {
		served["argoproj.io/v1alpha1"], *now = step.kinds, now.Add(discoveryPeriod)
		err := w.ensure(t.Context(), rolloutKind, discoveryPeriod)
		if (err == nil) != (len(step.kinds) > 0) || objects.begun != step.begun || objects.removed != step.removed {
			t.Fatalf("%+v: %d watches began, %d ended (%v)", step, objects.begun, objects.removed, err)
		}
	}
}

// brokenInformer takes no handlers.
type brokenInformer struct {
	*controllertest.FakeInformer
	err error
}

func (i brokenInformer) AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	return nil, i.err
}

// fixedCache returns an informer and an error.
type fixedCache struct {
	cache.Cache
	informer cache.Informer
	err      error
}

func (c fixedCache) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return c.informer, c.err
}

// A watch that does not begin is tried again with the next look.
func TestWatchesThatDoNotBegin(t *testing.T) {
	broken, synced := errors.New("no watch"), controllertest.NewFakeInformer(controllertest.Synced)
	for name, objects := range map[string]cache.Cache{
		"without an informer": fixedCache{informer: synced, err: broken}, "without a handler": fixedCache{informer: brokenInformer{synced, broken}},
	} {
		w, _, works, _ := countedWatches()
		w.cache = objects
		if err := w.ensure(t.Context(), rolloutKind, discoveryPeriod); !errors.Is(err, broken) {
			t.Errorf("%s, the error is %v, want %v", name, err, broken)
		}
		w.cache = works
		if err := w.ensure(t.Context(), rolloutKind, discoveryPeriod); err != nil || works.begun != 1 {
			t.Errorf("%s at first, the error is %v, and %d watches begin", name, err, works.begun)
		}
	}
}

// An edit that leaves the rollout complete may permit a restart. An event without an object requests nothing.
func TestUpdatesOfThirdPartyWorkloads(t *testing.T) {
	plane := planeOf(namespace("shop", "osm"))
	queue := begin(t, plane.thirdParty.source())
	whole := parse(t, rolloutText)
	labelled := parse(t, rolloutText, "name: web, ", "name: web, labels: {exempt: now}, ")
	for name, test := range map[string]struct {
		before, after any
		want          []string
	}{
		"labelled":            {whole, labelled, []string{"osm"}},
		"nothing has changed": {whole, whole, nil},
		"no object before":    {"nothing", labelled, nil},
		"no object after":     {labelled, "nothing", nil},
	} {
		plane.thirdParty.onUpdate(test.before, test.after)
		if got := queue.take(); !slices.Equal(got, test.want) {
			t.Errorf("%s: it requests %q, want %q", name, got, test.want)
		}
	}
}
