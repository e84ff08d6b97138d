package delta

import (
	"fmt"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Response is a delta discovery response.
type Response struct {
	Type      resourcetype.Type
	Nonce     string
	Resources []resource.Versioned
	// Removed has the names of resources that were removed or do not exist.
	Removed []string
}

// Field numbers of envoy.service.discovery.v3.DeltaDiscoveryResponse and Resource.
const (
	fieldResources       = 2
	fieldTypeURL         = 4
	fieldNonce           = 5
	fieldRemoved         = 6
	fieldResourceVersion = 1
)

// Sizes in bytes.
const (
	// shareThreshold is the size from which an encoded content is referred to instead of copied.
	shareThreshold = 1024
	// maxResourceOverhead is an upper bound of the encoded fields of a Resource around its content, without WireVersion.
	maxResourceOverhead = 48
)

// Encode returns the message in parts to be written one after the other. Parts are shared between responses and must not be
// modified.
func (r *Response) Encode() [][]byte {
	parts := make([][]byte, 0, 4)
	buf := make([]byte, 0, r.maxCopiedSize())
	start := 0
	for _, res := range r.Resources {
		version, encoded := res.WireVersion(), res.Encoded()
		size := protowire.SizeTag(fieldResourceVersion) + protowire.SizeBytes(len(version)) + len(encoded)
		buf = protowire.AppendVarint(protowire.AppendTag(buf, fieldResources, protowire.BytesType), uint64(size))
		buf = protowire.AppendString(protowire.AppendTag(buf, fieldResourceVersion, protowire.BytesType), version)
		if len(encoded) < shareThreshold {
			buf = append(buf, encoded...)
			continue
		}
		parts = append(parts, buf[start:len(buf):len(buf)], encoded)
		start = len(buf)
	}
	buf = protowire.AppendString(protowire.AppendTag(buf, fieldTypeURL, protowire.BytesType), r.Type.URL())
	buf = protowire.AppendString(protowire.AppendTag(buf, fieldNonce, protowire.BytesType), r.Nonce)
	for _, name := range r.Removed {
		buf = protowire.AppendString(protowire.AppendTag(buf, fieldRemoved, protowire.BytesType), name)
	}
	return append(parts, buf[start:])
}

// maxCopiedSize returns an upper bound of the size of the parts that are not shared.
func (r *Response) maxCopiedSize() int {
	size := len(r.Type.URL()) + len(r.Nonce) + 16
	for _, res := range r.Resources {
		size += maxResourceOverhead + len(res.Content.WireVersion())
		if n := len(res.Encoded()); n < shareThreshold {
			size += n
		}
	}
	for _, name := range r.Removed {
		size += len(name) + 8
	}
	return size
}

// contentSize returns the size of the resources without their versions.
func (r *Response) contentSize() int {
	size := 0
	for _, res := range r.Resources {
		size += len(res.Encoded())
	}
	return size
}

// encodedSize returns an upper bound of the size of a resource in a response.
func encodedSize(res resource.Versioned) int {
	return len(res.Encoded()) + len(res.Content.WireVersion()) + maxResourceOverhead
}

// Proto returns the response as a message.
func (r *Response) Proto() (*discovery.DeltaDiscoveryResponse, error) {
	var data []byte
	for _, part := range r.Encode() {
		data = append(data, part...)
	}
	message := &discovery.DeltaDiscoveryResponse{}
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, fmt.Errorf("the %s response does not decode: %w", r.Type, err)
	}
	return message, nil
}

// certificateVersion returns the version of the service certificate in the response; empty without one.
func (r *Response) certificateVersion() string {
	if r.Type != resourcetype.Secrets {
		return ""
	}
	for _, res := range r.Resources {
		if res.Name() == envoy.ServiceCertName {
			return res.WireVersion()
		}
	}
	return ""
}

// emptyRoutes answers a subscription to a route configuration that does not exist. Envoy ignores the removal of one, and its
// listener would wait for it.
func emptyRoutes(name string) resource.Versioned {
	c, err := resource.New(envoy.Resource{TypeURL: resourcetype.Routes.URL(), Name: name, Message: &route.RouteConfiguration{Name: name}})
	if err != nil { // the type is known, and a name from a protobuf message is valid UTF-8
		panic(err)
	}
	return resource.Versioned{Content: c, Version: stateEmptyRoutes}
}
