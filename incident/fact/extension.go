// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import "strings"

// extension returns the last extension of a path in lower case, and whether an
// ordinary one stands before it: report.docx.abcd gives "abcd", true. That is
// what encryption leaves; a program's own file has one extension.
func extension(path string) (ext string, inner bool) {
	name := base(path)
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || len(name)-i > 40 {
		return "", false
	}
	ext = name[i+1:]
	j := strings.LastIndexByte(name[:i], '.')
	if j <= 0 {
		return ext, false
	}
	inner = ordinary[name[j+1:i]]
	if !inner { // report.docx.id[1A2B].[mail@example.org].abcd
		for part := range strings.SplitSeq(name[:i], ".") {
			if ordinary[part] {
				inner = true
			}
		}
	}
	return ext, inner
}

// ordinary extensions of documents, data, programs and their passing copies.
var ordinary = set(`7z accdb ai avi back backup bak bat bin bkf bmp bz2 c cab cer cfg class cmd conf config cpp crdownload crt cs
	css csv dat db dbf dcm dcr dib dll doc docm docx dot dotx dwg dxf edb eml eps etl evtx exe flv gif go gz h htm html ico img inf ini
	ipynb iso jar java jpeg jpg js json key kdbx lnk lock log lst m4a m4v manifest map md mdb mdf ldf mht mkv mov mp3 mp4 mpg msg msi
	mui nfo odp ods odt one ora ost p12 part partial pdb pdf pem pf pfx php png pps ppt pptm pptx ps1 psd pst pub py pyc rar rb rdp reg
	rtf sav sh sln sql sqlite stl svg swf swp sys tar temp tgz tif tiff tmp tmpl torrent ts tsv ttf txt url vbk vbm vbs vdi vhd vhdx vib
	vmdk vmem vmx vsd vsdx wav webm webp wim wma wmv woff xls xlsb xlsm xlsx xml xsd xz yaml yml zip zst`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
