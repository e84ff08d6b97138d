// Package mariadb runs a MariaDB server for the bookstore demo in a container without a shell.
//
// Its input is MYSQL_DATABASE, MYSQL_USER, MYSQL_PASSWORD and a persistent directory. It runs a server on port 3306 with
// that database and user. The directory is initialized once; a start never uses an incomplete initialization.
package mariadb
