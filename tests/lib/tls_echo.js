// The Node.js server of the tests: `node tls_echo.js PEM PORT`. It answers HTTP requests and logs the errors that its listeners receive.
const fs = require('fs');
const https = require('https');

const [pem, port] = process.argv.slice(2);
const server = https.createServer({ cert: fs.readFileSync(pem), key: fs.readFileSync(pem) }, (request, response) => {
	response.setHeader('Content-Length', 3);
	response.end('ok\n');
});
server.on('clientError', (error, socket) => {
	console.log(`client error: ${error.code} ${error.message}`);
	socket.destroy();
});
server.on('tlsClientError', (error) => console.log(`tls client error: ${error.code} ${error.message}`));
server.on('secureConnection', (socket) => {
	socket.on('error', (error) => console.log(`socket error: ${error.code} ${error.message}`));
	socket.on('close', () => console.log('socket closed'));
});
server.listen(Number(port), '127.0.0.1');
