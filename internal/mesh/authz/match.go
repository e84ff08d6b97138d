package authz

import (
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// matchKey is equal for matches with the same expressions, whatever their names. Parts are quoted to keep them apart.
func matchKey(m catalog.HTTPMatch) string {
	var key strings.Builder
	key.WriteString(strconv.Quote(m.PathRegex))
	for _, method := range m.Methods {
		key.WriteByte(' ')
		key.WriteString(strconv.Quote(method))
	}
	for _, header := range m.Headers {
		key.WriteByte('\n')
		key.WriteString(strconv.Quote(header.Name))
		key.WriteByte('=')
		key.WriteString(strconv.Quote(header.Regex))
	}
	return key.String()
}
