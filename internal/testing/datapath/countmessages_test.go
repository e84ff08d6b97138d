package datapath

import (
	"regexp"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// countFields returns the number of fields that are set, so that an option of which the table knows nothing is noticed too.
func countFields(m proto.Message) int {
	n := 0
	m.ProtoReflect().Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool { n++; return true })
	return n
}

// countMessages returns the number of messages of a type that a message contains.
func countMessages(m proto.Message, name protoreflect.FullName) int {
	n := 0
	walk(m, func(value any) {
		if child, is := value.(protoreflect.Message); is && child.Descriptor().FullName() == name {
			n++
		}
	})
	return n
}

// countConditions returns the number of permissions and principals of an authorization filter.
func countConditions(m proto.Message) int {
	return countMessages(m, "envoy.config.rbac.v3.Permission") + countMessages(m, "envoy.config.rbac.v3.Principal")
}

// countExpressions returns the number of regular expressions.
func countExpressions(m proto.Message) int {
	return countMessages(m, "envoy.type.matcher.v3.RegexMatcher")
}

// operator is a command operator of Envoy.
var operator = regexp.MustCompile(`%[A-Z][A-Z0-9_]*(\([^%]*\))?(:\d+)?%`)

// countOperators returns the number of command operators in the texts of a message, and how many of them are expressions.
func countOperators(m proto.Message) (all, expressions int) {
	walk(m, func(value any) {
		text, _ := value.(string)
		for _, o := range operator.FindAllString(text, -1) {
			all++
			if strings.HasPrefix(o, "%CEL(") {
				expressions++
			}
		}
	})
	return all, expressions
}

// walk visits the values in a message, also packed ones.
func walk(m proto.Message, visit func(any)) {
	err := protorange.Range(m.ProtoReflect(), func(p protopath.Values) error {
		visit(p.Index(-1).Value.Interface())
		return nil
	})
	if err != nil {
		panic(err)
	}
}
