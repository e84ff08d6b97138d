package trust

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
)

func TestAssess_WithoutRejections(t *testing.T) {
	for _, c := range []struct {
		namespaces int
		ignored    string
		want       string
	}{
		{1, "", "the root certificate is in 1 namespace"},
		{3, "", "the root certificate is in 3 namespaces"},
		{2, "ConfigMap a/b is ignored", "the root certificate is in 2 namespaces; ConfigMap a/b is ignored"},
	} {
		got := assess(c.namespaces, nil, c.ignored)
		if want := (conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonTrustDistributed, Message: c.want}); got != want {
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

func TestAssess_NamesTheFirstRejections(t *testing.T) {
	var rejections []rejection
	for i := range 7 {
		rejections = append(rejections, rejection{fmt.Sprintf("shop-%d", 6-i), errors.New("exceeded quota")})
	}
	got := assess(9, rejections, "")
	if got.State != conditions.Failing || got.Reason != v1alpha1.ReasonNamespacesRejected {
		t.Errorf("got %+v", got)
	}
	if want := "7 of 9 namespaces reject the root certificate, and new pods of theirs cannot join the mesh: shop-0: exceeded quota; shop-1: "; !strings.HasPrefix(got.Message, want) {
		t.Errorf("message = %q, want it to begin with %q", got.Message, want)
	}
	if !strings.HasSuffix(got.Message, "shop-4: exceeded quota; and 2 more") {
		t.Errorf("message = %q, want five namespaces and the number of the others", got.Message)
	}
}
