package snapshot

import (
	"fmt"
	"strconv"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Resource is a content at the version that one client is told.
type Resource struct {
	*content
	version uint64
}

// Name is the resource's name, unique within its type.
func (r Resource) Name() string { return r.name }

// Version is the resource's version on the wire.
func (r Resource) Version() string {
	if r.label != "" {
		return r.label
	}
	return formatVersion(r.version)
}

func formatVersion(v uint64) string { return strconv.FormatUint(v, 16) }

// parseVersion is the inverse of formatVersion; a version that is none of ours never equals one of ours.
func parseVersion(s string) uint64 {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || v < firstVersion {
		return foreign
	}
	return v
}

// Response is a delta discovery response.
type Response struct {
	Type      Type
	Nonce     string
	Resources []Resource
	// Removed are the names that the client must forget, or that do not exist.
	Removed []string
}

// Field numbers of envoy.service.discovery.v3.DeltaDiscoveryResponse.
const (
	fieldResources = 2
	fieldTypeURL   = 4
	fieldNonce     = 5
	fieldRemoved   = 6
)

// shareAbove is the size in bytes from which a body is referred to instead of copied into the response.
const shareAbove = 1024

// Encode is the response on the wire, as parts to be written one after the other. Large parts are shared between responses
// and must not be modified.
func (r *Response) Encode() [][]byte {
	parts := make([][]byte, 0, 4)
	buf := make([]byte, 0, r.headerSize())
	start := 0
	for _, res := range r.Resources {
		version := res.Version()
		size := protowire.SizeTag(fieldResourceVersion) + protowire.SizeBytes(len(version)) + len(res.body)
		buf = protowire.AppendVarint(protowire.AppendTag(buf, fieldResources, protowire.BytesType), uint64(size))
		buf = protowire.AppendString(protowire.AppendTag(buf, fieldResourceVersion, protowire.BytesType), version)
		if len(res.body) < shareAbove {
			buf = append(buf, res.body...)
			continue
		}
		parts = append(parts, buf[start:len(buf):len(buf)], res.body)
		start = len(buf)
	}
	buf = protowire.AppendString(protowire.AppendTag(buf, fieldTypeURL, protowire.BytesType), r.Type.URL())
	buf = protowire.AppendString(protowire.AppendTag(buf, fieldNonce, protowire.BytesType), r.Nonce)
	for _, name := range r.Removed {
		buf = protowire.AppendString(protowire.AppendTag(buf, fieldRemoved, protowire.BytesType), name)
	}
	return append(parts, buf[start:])
}

// headerSize bounds the bytes of the parts that are not shared.
func (r *Response) headerSize() int {
	size := len(r.Type.URL()) + len(r.Nonce) + 16
	for _, res := range r.Resources {
		size += 48 + len(res.label)
		if len(res.body) < shareAbove {
			size += len(res.body)
		}
	}
	for _, name := range r.Removed {
		size += len(name) + 8
	}
	return size
}

// size bounds the bytes that a resource adds to a response.
func (r Resource) size() int { return len(r.body) + len(r.label) + 48 }

// Proto is the response as a message, for clients in tests.
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
