package fleet

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers of envoy.service.discovery.v3.DeltaDiscoveryResponse, Resource and google.protobuf.Any.
const (
	fieldResources = 2
	fieldTypeURL   = 4
	fieldNonce     = 5
	fieldRemoved   = 6
	fieldVersion   = 1
	fieldAny       = 2
	fieldName      = 3
	fieldAnyValue  = 2
)

// response is a parsed delta response. Its bytes are valid until the next response is received.
type response struct {
	data []byte
	kind kind
	// nonce is the nonce of the response.
	nonce     string
	resources []received
	removed   [][]byte
}

// received is one resource of a response.
type received struct{ name, version, value []byte }

var errWire = errors.New("a response is not a protobuf message")

// parse splits a response into its parts without copying them.
func (r *response) parse() error {
	r.resources, r.removed = r.resources[:0], r.removed[:0]
	return fields(r.data, func(number protowire.Number, value []byte) error {
		switch number {
		case fieldResources:
			parsed, err := parseResource(value)
			r.resources = append(r.resources, parsed)
			return err
		case fieldTypeURL:
			var ok bool
			if r.kind, ok = kindOf(value); !ok {
				return fmt.Errorf("unexpected response of type %q", value)
			}
		case fieldNonce:
			r.nonce = string(value)
		case fieldRemoved:
			r.removed = append(r.removed, value)
		}
		return nil
	})
}

func parseResource(data []byte) (received, error) {
	var r received
	err := fields(data, func(number protowire.Number, value []byte) error {
		switch number {
		case fieldVersion:
			r.version = value
		case fieldName:
			r.name = value
		case fieldAny:
			return fields(value, func(number protowire.Number, value []byte) error {
				if number == fieldAnyValue {
					r.value = value
				}
				return nil
			})
		}
		return nil
	})
	return r, err
}

// fields calls f for each length-delimited field.
func fields(data []byte, f func(protowire.Number, []byte) error) error {
	for len(data) > 0 {
		number, wireType, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errWire
		}
		data = data[n:]
		if wireType != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, wireType, data); n < 0 {
				return errWire
			}
			data = data[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return errWire
		}
		data = data[n:]
		if err := f(number, value); err != nil {
			return err
		}
	}
	return nil
}

// codec marshals requests with protobuf and receives responses as bytes.
type codec struct{}

// Name implements encoding.CodecV2.
func (codec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	data, err := proto.Marshal(v.(proto.Message))
	return mem.BufferSlice{mem.SliceBuffer(data)}, err
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	r := v.(*response)
	if n := data.Len(); cap(r.data) < n || cap(r.data) > 4*n {
		r.data = make([]byte, n)
	}
	r.data = r.data[:data.Len()]
	data.CopyTo(r.data)
	return r.parse()
}
