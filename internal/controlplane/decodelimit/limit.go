package decodelimit

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

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

// Check returns an error for an encoded message that would use much more memory than its size.
func Check(d protoreflect.MessageDescriptor, data []byte) error {
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
