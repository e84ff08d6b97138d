package server

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// library provides the same resources to the other variants, without duplicates.
type library struct {
	mesh      *mesh.Mesh
	oracle    *mesh.Oracle
	authority authority
	shared    map[uint64]*mesh.Resource
}

func newLibrary(m *mesh.Mesh, a authority) *library {
	return &library{mesh: m, oracle: mesh.NewOracle(m, a.Root()), authority: a, shared: map[uint64]*mesh.Resource{}}
}

// of returns all resources of the sidecars of a service, with their certificate.
func (l *library) of(service int) ([]*mesh.Resource, error) {
	list, err := l.oracle.Resources(service)
	if err != nil {
		return nil, err
	}
	leaf, err := l.authority.Certificate(mesh.Account(service))
	if err != nil {
		return nil, err
	}
	secret := envoy.ServiceCertSecret(envoy.ServiceCertName, leaf.ChainPEM, leaf.KeyPEM)
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(secret.Message)
	if err != nil {
		return nil, err
	}
	return l.share(append(list, mesh.Resource{
		TypeURL: secret.TypeURL, Name: secret.Name, Message: secret.Message, Value: value, Hash: mesh.Hash(value),
	})), nil
}

// differences returns the resources that a change adds or replaces, by service.
func (l *library) differences(c mesh.Change) (map[int][]*mesh.Resource, error) {
	found, err := l.oracle.Apply(c)
	if err != nil {
		return nil, err
	}
	shared := make(map[int][]*mesh.Resource, len(found))
	for service, list := range found {
		shared[service] = l.share(list)
	}
	return shared, nil
}

func (l *library) share(list []mesh.Resource) []*mesh.Resource {
	shared := make([]*mesh.Resource, len(list))
	for i := range list {
		key := list[i].Hash ^ mesh.Hash([]byte(list[i].Name))
		if l.shared[key] == nil {
			l.shared[key] = &list[i]
		}
		shared[i] = l.shared[key]
	}
	return shared
}

// Field numbers of envoy.service.discovery.v3.DeltaDiscoveryResponse, Resource and google.protobuf.Any.
const (
	fieldResources = 2
	fieldTypeURL   = 4
	fieldNonce     = 5
	fieldVersion   = 1
	fieldAny       = 2
	fieldName      = 3
	fieldAnyURL    = 1
	fieldAnyValue  = 2
)

// wire encodes a resource as a field of a response.
func wire(r *mesh.Resource) []byte {
	anything := protowire.AppendString(protowire.AppendTag(nil, fieldAnyURL, protowire.BytesType), r.TypeURL)
	anything = protowire.AppendBytes(protowire.AppendTag(anything, fieldAnyValue, protowire.BytesType), r.Value)
	field := protowire.AppendString(protowire.AppendTag(nil, fieldVersion, protowire.BytesType), fmt.Sprintf("%016x", r.Hash))
	field = protowire.AppendString(protowire.AppendTag(field, fieldName, protowire.BytesType), r.Name)
	field = protowire.AppendBytes(protowire.AppendTag(field, fieldAny, protowire.BytesType), anything)
	return protowire.AppendBytes(protowire.AppendTag(nil, fieldResources, protowire.BytesType), field)
}

// tail encodes the remaining fields of a response.
func tail(typeURL string) []byte {
	data := protowire.AppendString(protowire.AppendTag(nil, fieldTypeURL, protowire.BytesType), typeURL)
	return protowire.AppendString(protowire.AppendTag(data, fieldNonce, protowire.BytesType), "1")
}
