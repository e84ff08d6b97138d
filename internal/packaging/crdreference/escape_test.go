package crdreference

import "testing"

func TestEscapeCell(t *testing.T) {
	for text, want := range map[string]string{
		"a | b":            `a \| b`,
		"<namespace> & *":  `&lt;namespace&gt; &amp; \*`,
		"`a|<b>` and <b>":  "`a\\|<b>` and &lt;b&gt;",
		"a ` alone <b>":    "a \\` alone &lt;b&gt;",
		"list[0] of a_b_c": `list\[0\] of a\_b\_c`,
	} {
		if got := escapeCell(text); got != want {
			t.Errorf("escapeCell(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCutDefault(t *testing.T) {
	for description, want := range map[string][2]string{
		"a is set. Default: 2s.":                    {"a is set.", "2s"},
		"Default: none. It is unset.":               {"It is unset.", "none"},
		"a is set. Default: v1.5. Use it.":          {"a is set. Use it.", "v1.5"},
		"a. Default: that of cluster.local":         {"a.", "that of cluster.local"},
		"It has no default. By default it is empty": {"It has no default. By default it is empty", ""},
	} {
		if rest, fallback := cutDefault(description); rest != want[0] || fallback != want[1] {
			t.Errorf("cutDefault(%q) = %q, %q; want %q", description, rest, fallback, want)
		}
	}
}
