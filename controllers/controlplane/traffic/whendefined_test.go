package traffic

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// TestWhenDefined checks that nothing starts before all kinds are defined, and that the error of the start is returned.
func TestWhenDefined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mapper := meta.NewDefaultRESTMapper(nil)
		mapper.Add(kinds.Gateway, meta.RESTScopeNamespace)
		failure, started := errors.New("no such informer"), 0
		ended := make(chan error, 1)
		go func() {
			ended <- WhenDefined(t.Context(), mapper, func() error { started++; return failure }, kinds.Gateway, kinds.HTTPRoute)
		}()
		time.Sleep(2 * DefinitionPollInterval)
		synctest.Wait()
		if started > 0 {
			t.Error("started with one of two kinds")
		}
		mapper.Add(kinds.HTTPRoute, meta.RESTScopeNamespace)
		if err := <-ended; !errors.Is(err, failure) || started != 1 {
			t.Errorf("started %d times with the error %v, want once with that of the start", started, err)
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
