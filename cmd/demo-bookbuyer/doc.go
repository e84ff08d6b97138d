// Command demo-bookbuyer buys books from the demo's bookstore. Package demo describes its environment variables and output.
package main
