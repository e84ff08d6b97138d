package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCommandsPrintNoEscapes writes an escape sequence to the outputs of commands.
func TestCommandsPrintNoEscapes(t *testing.T) {
	var out, failed bytes.Buffer
	root := New(Streams{In: strings.NewReader(""), Out: &out, Err: &failed}, time.Now, func(string) string { return "" })
	fmt.Fprint(root.OutOrStdout(), "\x1b[2Jdata")
	fmt.Fprint(root.ErrOrStderr(), "\x1b[2Jan error")
	if got := out.String() + failed.String(); got != " [2Jdata [2Jan error" {
		t.Errorf("commands print %q", got)
	}
}
