package current

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Errors of Confirm.
var (
	ErrDeclined   = errors.New("nothing was changed")
	ErrNoTerminal = errors.New("nothing was changed: the question needs a terminal; set YES=1 to install without it")
)

// Confirm asks the user to go on. With yes it does not ask. Only the answers y and yes count as consent.
func Confirm(in io.Reader, out io.Writer, terminal, yes bool) error {
	if yes {
		return nil
	}
	if !terminal {
		return ErrNoTerminal
	}
	fmt.Fprint(out, "\nInstall it? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return ErrDeclined
}
