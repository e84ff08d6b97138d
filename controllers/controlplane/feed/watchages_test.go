package feed

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestResourceOf(t *testing.T) {
	tests := []struct{ method, path, want string }{
		{"GET", "/api/v1/pods", "pods"},
		{"GET", "/api/v1/namespaces", "namespaces"},
		{"GET", "/api/v1/namespaces/shop/pods", "pods"},
		{"GET", "/apis/access.smi-spec.io/v1alpha3/traffictargets", "traffictargets.access.smi-spec.io"},
		{"GET", "/apis/config.openservicemesh.io/v1alpha2/namespaces/osm-system/meshconfigs", "meshconfigs.config.openservicemesh.io"},
		{"GET", "/api/v1/namespaces/shop", ""},
		{"GET", "/api/v1/namespaces/shop/pods/web", ""},
		{"GET", "/api/v1", ""},
		{"GET", "/apis/apps/v1", ""},
		{"GET", "/openid/v1/jwks", ""},
		{"GET", "/", ""},
		{"POST", "/api/v1/namespaces/shop/events", ""},
	}
	for _, test := range tests {
		if got := resourceOf(httptest.NewRequest(test.method, test.path, http.NoBody)); got != test.want {
			t.Errorf("resourceOf(%s %s) = %q, want %q", test.method, test.path, got, test.want)
		}
	}
}
