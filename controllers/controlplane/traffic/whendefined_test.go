package traffic

import (
	"context"
	"errors"
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
}

func (m *partialMapper) RESTMapping(kind schema.GroupKind, _ ...string) (*meta.RESTMapping, error) {
	if kind == kinds.HTTPRoute.GroupKind() && !m.hasRoutes.Load() {
		return nil, &meta.NoKindMatchError{GroupKind: kind}
	}
	return &meta.RESTMapping{}, nil
}

// TestWhenDefined checks that nothing starts before all kinds are defined, and that the error of the start is returned.
func TestWhenDefined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mapper, failure, started := &partialMapper{}, errors.New("no such informer"), atomic.Int32{}
		ended := make(chan error, 1)
		go func() {
			ended <- WhenDefined(t.Context(), mapper, func() error { started.Add(1); return failure }, kinds.Gateway, kinds.HTTPRoute)
		}()
		time.Sleep(2 * DefinitionPollInterval)
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

// TestWhenDefined_Stops checks that an undefined kind is no error when the process stops.
func TestWhenDefined_Stops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := WhenDefined(ctx, meta.NewDefaultRESTMapper(nil), nil, kinds.Gateway); err != nil {
		t.Errorf("error %v, want none", err)
	}
}
