// Package grpcechoserver has the types of a gRPC service that tests of gateways call. The tests of meshes send their requests from pods and do not use
// it: a call returns an error.
package grpcechoserver

import (
	"context"
	"errors"

	"google.golang.org/grpc"
)

// EchoRequest is a request without content.
type EchoRequest struct{}

// EchoResponse describes the request that the server received.
type EchoResponse struct{ Assertions *EchoAssertions }

// GetAssertions returns what the server received; nil for none.
func (r *EchoResponse) GetAssertions() *EchoAssertions {
	if r == nil {
		return nil
	}
	return r.Assertions
}

// EchoAssertions is what the server received.
type EchoAssertions struct {
	FullyQualifiedMethod string
	Headers              []*Header
	Context              *Context
}

// GetFullyQualifiedMethod returns the method, "/<service>/<method>".
func (a *EchoAssertions) GetFullyQualifiedMethod() string { return a.FullyQualifiedMethod }

// GetHeaders returns the metadata of the request.
func (a *EchoAssertions) GetHeaders() []*Header { return a.Headers }

// GetContext returns where the server runs.
func (a *EchoAssertions) GetContext() *Context { return a.Context }

// Header is one value of metadata.
type Header struct{ Key, Value string }

// GetKey returns the name.
func (h *Header) GetKey() string { return h.Key }

// GetValue returns the value.
func (h *Header) GetValue() string { return h.Value }

// Context is where a server runs.
type Context struct{ Namespace, Pod string }

// GetNamespace returns the namespace of the pod.
func (c *Context) GetNamespace() string { return c.Namespace }

// GetPod returns the name of the pod.
func (c *Context) GetPod() string { return c.Pod }

// GrpcEchoClient calls the service.
type GrpcEchoClient struct{}

// NewGrpcEchoClient returns a client whose calls fail.
func NewGrpcEchoClient(grpc.ClientConnInterface) GrpcEchoClient { return GrpcEchoClient{} }

var errAbsent = errors.New("this build of the conformance suite has no gRPC service, which only tests of gateways call")

// Echo is the first method.
func (GrpcEchoClient) Echo(context.Context, *EchoRequest, ...grpc.CallOption) (*EchoResponse, error) {
	return nil, errAbsent
}

// EchoTwo is the second method.
func (GrpcEchoClient) EchoTwo(context.Context, *EchoRequest, ...grpc.CallOption) (*EchoResponse, error) {
	return nil, errAbsent
}

// EchoThree is the third method.
func (GrpcEchoClient) EchoThree(context.Context, *EchoRequest, ...grpc.CallOption) (*EchoResponse, error) {
	return nil, errAbsent
}
