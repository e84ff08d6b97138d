package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// resource is a resource as a control plane sends it.
type resource struct {
	Name    string `json:"name"`
	TypeURL string `json:"typeURL"`
	Value   []byte `json:"value"`
}

func main() {
	problems, err := check(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(2)
	}
	for _, problem := range problems {
		fmt.Println(problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// check returns the problems of all resources, sorted, each once.
func check(input io.Reader) ([]string, error) {
	var resources []resource
	if err := json.NewDecoder(input).Decode(&resources); err != nil {
		return nil, fmt.Errorf("the input is no list of resources: %w", err)
	}
	var problems []string
	for _, r := range resources {
		c := &checker{of: r.Name}
		c.any("", &anypb.Any{TypeUrl: r.TypeURL, Value: r.Value})
		problems = append(problems, c.problems...)
	}
	slices.Sort(problems)
	return slices.Compact(problems), nil
}

// checker collects the problems of one resource.
type checker struct {
	of       string
	problems []string
}

func (c *checker) add(path, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf("%s: %s: %s", c.of, path, fmt.Sprintf(format, args...)))
}

// any checks a message of any type.
func (c *checker) any(path string, packed *anypb.Any) {
	kind, err := protoregistry.GlobalTypes.FindMessageByURL(packed.GetTypeUrl())
	if err != nil {
		c.add(path, "unknown type %s", packed.GetTypeUrl())
		return
	}
	m := kind.New().Interface()
	if err := proto.Unmarshal(packed.GetValue(), m); err != nil {
		c.add(path, "%s: %v", packed.GetTypeUrl(), err)
		return
	}
	path += "[" + string(m.ProtoReflect().Descriptor().Name()) + "]"
	if v, ok := m.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			c.add(path, "invalid: %v", err)
		}
	}
	c.message(path, m.ProtoReflect())
}

// message checks the fields of a message. Any is checked as what it contains.
func (c *checker) message(path string, m protoreflect.Message) {
	for unknown := m.GetUnknown(); len(unknown) > 0; {
		number, _, n := protowire.ConsumeField(unknown)
		if n < 0 {
			break
		}
		c.add(path, "unknown field %d of %s", number, m.Descriptor().FullName())
		unknown = unknown[n:]
	}
	if packed, ok := m.Interface().(*anypb.Any); ok {
		c.any(path, packed)
		return
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		at := path + "." + string(field.Name())
		switch {
		case field.IsMap():
			value.Map().Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
				c.value(at+"["+key.String()+"]", field.MapValue(), v)
				return true
			})
		case field.IsList():
			for i := range value.List().Len() {
				c.value(at, field, value.List().Get(i))
			}
		default:
			c.value(at, field, value)
		}
		return true
	})
}

func (c *checker) value(path string, field protoreflect.FieldDescriptor, value protoreflect.Value) {
	switch field.Kind() {
	case protoreflect.MessageKind:
		c.message(path, value.Message())
	case protoreflect.EnumKind:
		if field.Enum().Values().ByNumber(value.Enum()) == nil {
			c.add(path, "unknown value %d of %s", value.Enum(), field.Enum().FullName())
		}
	}
}
