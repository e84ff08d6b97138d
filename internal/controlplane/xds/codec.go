package xds

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
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
	if err := checkDecodedSize(m.ProtoReflect().Descriptor(), buffer.ReadOnlyData()); err != nil {
		return err
	}
	return proto.Unmarshal(buffer.ReadOnlyData(), m)
}

// A decoded message uses more memory than its encoding: an empty part has two bytes in the encoding and a structure in memory.
const (
	// These are what a part, an entry of a map, and a text or binary field use in memory, without their content.
	partBytes, entryBytes, textBytes = 160, 64, 24
	// decodedAllowance and decodedFactor limit the memory of a decoded message: a number of bytes, and a factor of its size.
	// maxDecodedBytes limits it for large messages. Messages of Envoy have a factor of less than 20.
	decodedAllowance = 1 << 20
	decodedFactor    = 20
	maxDecodedBytes  = 32 << 20
)

// isLarge reports whether a message needed a slot of the messageLimiter.
func isLarge(m proto.Message) bool { return proto.Size(m)+messagePrefixBytes > smallMessageBytes }

// checkDecodedSize returns an error for an encoded message that would use much more memory than its size.
func checkDecodedSize(d protoreflect.MessageDescriptor, data []byte) error {
	if decodedBytes(d, data, min(decodedAllowance+decodedFactor*len(data), maxDecodedBytes)) < 0 {
		return fmt.Errorf("a %s of %d bytes has too many parts", d.Name(), len(data))
	}
	return nil
}

// decodedBytes subtracts the parts of a message from a number of bytes. It stops when the result is negative. It ignores invalid
// data, which is rejected when it is decoded.
func decodedBytes(d protoreflect.MessageDescriptor, data []byte, left int) int {
	for len(data) > 0 && left >= 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return left
		}
		data = data[n:]
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return left
		}
		if kind == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(data)
			left = decodedFieldBytes(d.Fields().ByNumber(number), content, left)
		}
		data = data[n:]
	}
	return left
}

// decodedFieldBytes is decodedBytes for the content of a field, which is nil if it is unknown.
func decodedFieldBytes(field protoreflect.FieldDescriptor, content []byte, left int) int {
	switch {
	case field == nil || field.Message() == nil:
		return left - textBytes
	case field.IsMap():
		return decodedBytes(field.Message(), content, left-entryBytes)
	default:
		return decodedBytes(field.Message(), content, left-partBytes)
	}
}
