package xds

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/controlplane/decodelimit"
)

// encoder is a response that is encoded in parts. Parts are shared between responses, so that large resources are not copied.
type encoder interface{ Encode() [][]byte }

// codec encodes an encoder without copying its parts, and all other messages as protobuf.
type codec struct{}

// Name implements encoding.CodecV2.
func (codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case encoder:
		parts := m.Encode()
		buffers := make(mem.BufferSlice, len(parts))
		for i, part := range parts {
			buffers[i] = mem.SliceBuffer(part)
		}
		return buffers, nil
	case proto.Message:
		data, err := proto.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(data)}, err
	default:
		return nil, fmt.Errorf("a %T cannot be sent: it is neither a response nor a protobuf message", v)
	}
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("a %T cannot be received: it is not a protobuf message", v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	if err := decodelimit.Check(m.ProtoReflect().Descriptor(), buffer.ReadOnlyData()); err != nil {
		return err
	}
	return proto.Unmarshal(buffer.ReadOnlyData(), m)
}

// isLarge reports whether a message needed a slot of the messageLimiter.
func isLarge(m proto.Message) bool { return proto.Size(m)+messagePrefixBytes > smallMessageBytes }
