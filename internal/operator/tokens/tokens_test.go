package tokens

import (
	"context"
	"fmt"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A server that receives the operator's token for the API server becomes the operator when it is compromised.
func TestTokensHaveTheRequestedAudienceOnly(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	requests := 0
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "operators", Name: names.Operator}}
	c := fake.NewClientBuilder().WithObjects(account).WithInterceptorFuncs(interceptor.Funcs{
		SubResourceCreate: func(_ context.Context, _ client.Client, _ string, object, sub client.Object, _ ...client.SubResourceCreateOption) error {
			request := sub.(*authenticationv1.TokenRequest)
			requests++
			request.Status = authenticationv1.TokenRequestStatus{
				Token: fmt.Sprint(object.GetNamespace(), "/", object.GetName(), " for ", request.Spec.Audiences), ExpirationTimestamp: metav1.NewTime(now.Add(time.Hour)),
			}
			return nil
		},
	}).Build()
	source := New(c, "operators", func() time.Time { return now })
	for _, step := range []struct {
		name, audience, want string
		requests             int
		later                time.Duration
		// rejected is a token that the server rejects before.
		rejected string
	}{
		{"first", "report.osm", "operators/osm-operator for [report.osm]", 1, 0, ""},
		{"the same again", "report.osm", "operators/osm-operator for [report.osm]", 1, 30 * time.Minute, ""},
		{"another mesh", "report.other", "operators/osm-operator for [report.other]", 2, 0, ""},
		{"before it expires", "report.osm", "operators/osm-operator for [report.osm]", 3, 20 * time.Minute, ""},
		{"an earlier one is rejected", "report.osm", "operators/osm-operator for [report.osm]", 3, 0, "earlier"},
		{"it is rejected", "report.osm", "operators/osm-operator for [report.osm]", 4, 0, "operators/osm-operator for [report.osm]"},
	} {
		now = now.Add(step.later)
		if step.rejected != "" {
			source.Discard(step.audience, step.rejected)
		}
		token, err := source.ForAudience(t.Context(), step.audience)
		if err != nil || token != step.want || requests != step.requests {
			t.Errorf("%s: token %q after %d requests (%v), want %q after %d", step.name, token, requests, err, step.want, step.requests)
		}
	}
	if token, err := source.ForAudience(t.Context(), ""); err == nil || token != "" || requests != 4 {
		t.Errorf("without audience: token %q after %d requests, want an error and no request", token, requests)
	}
}
