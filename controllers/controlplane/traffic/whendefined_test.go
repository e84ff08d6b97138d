package traffic

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// partialMapper lacks HTTPRoutes until they are defined.
type partialMapper struct {
	meta.RESTMapper
	hasRoutes atomic.Bool
	lookups   atomic.Int32
}

func (m *partialMapper) RESTMapping(kind schema.GroupKind, _ ...string) (*meta.RESTMapping, error) {
	m.lookups.Add(1)
	if kind == kinds.HTTPRoute.GroupKind() && !m.hasRoutes.Load() {
		return nil, &meta.NoKindMatchError{GroupKind: kind}
	}
	return &meta.RESTMapping{}, nil
}

// TestWhenDefined checks that nothing starts before all kinds are defined, and that the error of the start is returned.
func TestWhenDefined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mapper, failure, started := &partialMapper{}, errors.New("no such informer"), atomic.Int32{}
		definitions := NewDefinitions(mapper, nil)
		ended := make(chan error, 1)
		go func() {
			ended <- definitions.WhenDefined(t.Context(), func() error { started.Add(1); return failure }, kinds.Gateway, kinds.HTTPRoute)
		}()
		time.Sleep(2 * LookupInterval)
		synctest.Wait()
		if started.Load() > 0 {
			t.Error("started with one of two kinds")
		}
		mapper.hasRoutes.Store(true)
		if err := <-ended; !errors.Is(err, failure) || started.Load() != 1 {
			t.Errorf("started %d times with the error %v, want once with that of the start", started.Load(), err)
		}
	})
}

// TestAbsentKindsAreRarelyLookedUp counts the requests for a kind that the cluster does not define. A change of a definition is noticed at once,
// although discovery follows later.
func TestAbsentKindsAreRarelyLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mapper := &partialMapper{}
		definitions := NewDefinitions(mapper, nil)
		ended := make(chan error, 1)
		go func() { ended <- definitions.WhenDefined(t.Context(), func() error { return nil }, kinds.HTTPRoute) }()
		time.Sleep(settling + 2*LookupInterval)
		before := mapper.lookups.Load()
		time.Sleep(time.Hour)
		if got, limit := mapper.lookups.Load()-before, int32(time.Hour/RecheckInterval)+1; got > limit {
			t.Errorf("an absent kind was looked up %d times in an hour, want at most %d", got, limit)
		}
		before = mapper.lookups.Load()
		for i := range 300 {
			definitions.Notify(fmt.Sprintf("others%d.example.com", i))
			synctest.Wait()
		}
		time.Sleep(settling)
		if got := mapper.lookups.Load() - before; got > 0 {
			t.Errorf("an absent kind was looked up %d times after changes of other definitions", got)
		}
		for range 300 { // its status changes
			definitions.Notify(definitionName(kinds.HTTPRoute))
			synctest.Wait()
		}
		if got := mapper.lookups.Load() - before; got > 1 {
			t.Errorf("an absent kind was looked up %d times for a burst of changes, want once", got)
		}
		time.Sleep(3 * LookupInterval)
		mapper.hasRoutes.Store(true)
		began := time.Now()
		if err := <-ended; err != nil || time.Since(began) > LookupInterval {
			t.Errorf("a defined kind was found after %v, with error %v", time.Since(began), err)
		}
	})
}

// TestWhenDefined_Stops checks that an undefined kind is no error when the process stops.
func TestWhenDefined_Stops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewDefinitions(meta.NewDefaultRESTMapper(nil), nil).WhenDefined(ctx, nil, kinds.Gateway); err != nil {
		t.Errorf("error %v, want none", err)
	}
}
