package telemetry

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// maxExpression is the longest CEL expression, in bytes.
const maxExpression = 1024

// attributes are the variables of expressions that sidecars evaluate.
var attributes = []string{"request", "response", "connection", "source", "destination", "upstream", "metadata", "filter_state", "xds"}

// checkExpression returns why a CEL expression cannot select what is logged.
func checkExpression(expression string) error {
	result, err := compileExpression(expression)
	switch {
	case err != nil:
		return err
	case !result.IsExactType(cel.BoolType) && !result.IsExactType(cel.DynType):
		return fmt.Errorf("it is a %s, and must be true or false: write for example response.code >= 400", result)
	}
	return nil
}

// checkValue returns why a CEL expression cannot be part of a line.
func checkValue(expression string) error {
	_, err := compileExpression(expression)
	return err
}

// compileExpression returns the type of an expression. Macros other than has do not exist in sidecars.
func compileExpression(expression string) (*cel.Type, error) {
	if len(expression) > maxExpression {
		return nil, fmt.Errorf("it has %d characters: use at most %d", len(expression), maxExpression)
	}
	options := []cel.EnvOption{cel.ClearMacros(), cel.Macros(cel.HasMacro)}
	for _, name := range attributes {
		options = append(options, cel.Variable(name, cel.MapType(cel.StringType, cel.DynType)))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		first := lists.Map(issues.Errors(), func(e *cel.Error) string { return e.Message })
		return nil, errors.New("it is not an expression over Envoy's attributes (" + strings.Join(first[:1], "") + "): write for example response.code >= 400")
	}
	return ast.OutputType(), nil
}
