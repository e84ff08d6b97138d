package server

import (
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// newCodecs returns an encoder of errors.
func newCodecs() runtime.NegotiatedSerializer {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.Unversioned)
	return serializer.NewCodecFactory(scheme).WithoutConversion()
}

// protect authenticates and authorizes requests before next.
func protect(next http.Handler, a *access, codecs runtime.NegotiatedSerializer) http.Handler {
	handler := filters.WithAuthorization(next, a.authorizer, codecs)
	handler = filters.WithAuthentication(handler, a.authenticator, filters.Unauthorized(codecs), nil, a.headers)
	return filters.WithRequestInfo(handler, edgesOfNamespaces{&request.RequestInfoFactory{APIPrefixes: sets.NewString("apis"), GrouplessAPIPrefixes: sets.NewString()}})
}

// edgesOfNamespaces reads namespaces/x/edges as the sub-resource of a namespace. Kubernetes reads it as a resource in the namespace.
type edgesOfNamespaces struct{ next request.RequestInfoResolver }

// NewRequestInfo implements request.RequestInfoResolver.
func (e edgesOfNamespaces) NewRequestInfo(r *http.Request) (*request.RequestInfo, error) {
	info, err := e.next.NewRequestInfo(r)
	if err == nil && info.IsResourceRequest && info.Resource == "edges" && info.Name == "" {
		info.Resource, info.Subresource, info.Name = "namespaces", "edges", info.Namespace
		if info.Verb == "list" {
			info.Verb = "get"
		}
	}
	return info, err
}
