/*
 * sample-people.c - invented holders of special-operation certificates.
 *
 * Everything here is made up: names, employers, addresses, numbers. The administrative prefix 9901
 * of the resident numbers, the area code 0100 and the places do not exist; the check digits are
 * right. Person n is the same on every machine.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/sample.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum field_index {
	NUMBER,
	NAME,
	SEX,
	EDUCATION,
	EMPLOYER,
	EMPLOYER_KIND,
	ADDRESS,
	PHONE,
	CATEGORY,
	ITEM,
	TRAINER,
	ISSUER,
	THEORY,
	PRACTICE,
	FIRST_ISSUE,
	ISSUE,
	YEARS,
	REVIEW_1,
	REVIEW_2,
	RECORD_1,
	RECORD_2,
	VALID_FROM,
	VALID_TO,
	MARK,
	REVIEW_MARK,
	SPARE_1,
	SPARE_2,
	SPARE_3,
	SPARE_4
};

const struct sample_field sample_fields[SAMPLE_FIELDS] = {
	[NUMBER] = {"证号", 20},
	[NAME] = {"姓名", 26},
	[SEX] = {"性别", 2},
	[EDUCATION] = {"文化程度", 10},
	[EMPLOYER] = {"工作单位", 32},
	[EMPLOYER_KIND] = {"单位类别", 16},
	[ADDRESS] = {"通讯地址", 32},
	[PHONE] = {"联系电话", 16},
	[CATEGORY] = {"作业类别", 32},
	[ITEM] = {"准操项目", 32},
	[TRAINER] = {"培训单位", 32},
	[ISSUER] = {"发证机关", 32},
	[THEORY] = {"理论成绩", 14},
	[PRACTICE] = {"实操成绩", 14},
	[FIRST_ISSUE] = {"初领日期", 8},
	[ISSUE] = {"发证日期", 8},
	[YEARS] = {"本工种工龄", 2},
	[REVIEW_1] = {"一次复审期", 8},
	[REVIEW_2] = {"二次复审期", 8},
	[RECORD_1] = {"复审记录1", 32},
	[RECORD_2] = {"复审记录2", 32},
	[VALID_FROM] = {"有效期从", 8},
	[VALID_TO] = {"有效期到", 8},
	[MARK] = {"证件标识", 14},
	[REVIEW_MARK] = {"复审标识", 1},
	[SPARE_1] = {"备用1", 20},
	[SPARE_2] = {"备用2", 20},
	[SPARE_3] = {"备用3", 20},
	[SPARE_4] = {"备用4", 20},
};

/* The first of them are given; later ones are put together from the two lists below. */
static const struct named {
	const char *name;
	bool woman;
	unsigned age;
} named[] = {
	{"陈立新", false, 34},
	{"林晓雯", true, 29},
	{"王喆", false, 41},
	{"欧阳明远", false, 52},
	{"周秋月", true, 46},
	{"赵堃", false, 27},
	{"何佳宁", true, 33},
	{"孙长河", false, 58},
	{"吴静怡", true, 24},
	{"刘犇", false, 38},
	{"上官若兰", true, 55},
	{"郑龘", false, 31},
	{"黄淼", true, 37},
	{"徐建业", false, 47},
	{"马骏", false, 23},
	{"朱慧敏", true, 50},
	{"胡一鸣", false, 44},
	{"阿依努尔", true, 28},
	{"郭守诚", false, 36},
	{"司徒海燕", true, 42},
};
static const char *const surnames[] = {"陈", "林", "王", "周", "赵", "何", "孙", "吴", "刘", "郑",
	"黄", "徐", "马", "朱", "胡", "郭", "高", "罗", "梁", "宋", "唐", "许", "韩", "冯", "曹",
	"彭", "曾", "萧", "诸葛", "欧阳", "司徒", "慕容"};
static const char *const given_men[] = {"建国", "志强", "立新", "长河", "守诚", "一鸣", "明远",
	"海峰", "思远", "文博", "国梁", "俊杰", "浩", "毅", "磊", "晟", "铎", "昊然", "子墨", "伟"};
static const char *const given_women[] = {"晓雯", "秋月", "佳宁", "静怡", "慧敏", "若兰", "海燕",
	"丽华", "雪梅", "思琪", "雨桐", "欣然", "洁", "颖", "琳", "燕", "婷", "玉兰", "淑芬",
	"嘉怡"};

static const struct trade {
	const char *category, *item;
	bool coal; /* the number begins with TM, another authority issues it */
} trades[] = {
	{"电工作业", "低压电工作业", false},
	{"焊接与热切割作业", "熔化焊接与热切割作业", false},
	{"高处作业", "登高架设作业", false},
	{"制冷与空调作业", "制冷与空调设备运行操作作业", false},
	{"煤矿安全作业", "煤矿井下电气作业", true},
	{"电工作业", "高压电工作业", false},
	{"高处作业", "高处安装、维护、拆除作业", false},
	{"焊接与热切割作业", "压力焊作业", false},
	{"危险化学品安全作业", "氯碱电解工艺作业", false},
	{"煤矿安全作业", "煤矿瓦斯检查作业", true},
	{"电工作业", "防爆电气作业", false},
	{"烟花爆竹安全作业", "烟火药制造作业", false},
};

static const char *const employers[] = {"示范市星河电力工程有限公司", "样例县青禾建筑安装有限公司",
	"示范省云岭矿业集团公司", "虚构机械制造股份有限公司", "示范市北桥供热服务中心",
	"样例市长风造船厂", "示范市白鹭冷链物流公司", "虚构化工第二分厂"};
static const char *const employer_kinds[] = {
	"有限责任公司", "国有企业", "股份有限公司", "私营企业", "事业单位", "个体工商户"};
static const char *const streets[] = {"示范市样例区虚构路%u号", "样例县假定镇星光街%u号",
	"示范市未名区云山大道%u号", "虚构市示例区梧桐巷%u号"};
static const char *const educations[] = {"初中", "高中", "中专", "大专", "本科"};
static const char *const trainers[] = {
	"示范市安全生产培训中心", "样例职业技术学院", "示范省电力培训学校"};

uint64_t
sample_random(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

static unsigned
draw(uint64_t *state, unsigned n)
{
	return (unsigned)(sample_random(state) % n);
}

__attribute__((format(printf, 3, 4))) static void
value_set(struct person *p, enum field_index field, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(p->value[field], SAMPLE_VALUE_MAX, format, args);
	va_end(args);
}

/* ISO 7064 MOD 11-2: the weights are the powers of 2 modulo 11, from the right. */
static char
check_digit(const char *digits17)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < 17; i++) {
		unsigned weight = 1;
		for (unsigned k = 0; k < 17 - i; k++)
			weight = weight * 2 % 11;
		sum += weight * (unsigned)(digits17[i] - '0');
	}
	return "10X98765432"[sum % 11];
}

/* Area 9901nn, birth, a sequence that is odd for men. The index is in it, so no two are equal.
 * Every seventh person's check digit is an X. */
static void
number_invent(struct person *p, unsigned index, bool coal, unsigned birth_year, uint64_t *random)
{
	unsigned month = draw(random, 12) + 1, day = draw(random, 28) + 1;
	unsigned area = 990101 + index / 300 % 99, sequence = index % 300 * 2 + !p->woman + 100;
	char digits[24];
	for (;; day = day % 28 + 1) {
		snprintf(digits, sizeof(digits), "%06u%04u%02u%02u%03u", area, birth_year, month,
			day, sequence);
		if (index % 7 != 3 || check_digit(digits) == 'X')
			break;
		if (day == 28)
			month = month % 12 + 1;
	}
	value_set(p, NUMBER, "%s%s%c", coal ? "TM" : "T", digits, check_digit(digits));
}

/* All three spellings that a roster may use. Days run from 2 to 28, so the day before exists. */
static void
date_set(struct person *p, enum field_index field, unsigned index, unsigned y, unsigned m,
	unsigned d)
{
	const char *format = index == 5   ? "%04u-%02u-%02u"
			     : index == 6 ? "%u/%u/%u"
					  : "%04u%02u%02u";
	value_set(p, field, format, y, m, d);
}

/* Valid for six years, reviewed after three; seen from the beginning of 2026. */
static void
dates_invent(struct person *p, unsigned index, uint64_t *random)
{
	unsigned year = 2021 + draw(random, 5), month = draw(random, 12) + 1,
		 day = draw(random, 27) + 2;
	unsigned years = draw(random, p->age - 20) + 1;
	unsigned terms = years / 6;
	date_set(p, ISSUE, index, year, month, day);
	date_set(p, VALID_FROM, index, year, month, day);
	date_set(p, FIRST_ISSUE, index, year - 6 * terms, month, day);
	date_set(p, REVIEW_1, index, year + 3, month, day - 1);
	date_set(p, REVIEW_2, index, year + 6, month, day - 1);
	date_set(p, VALID_TO, index, year + 6, month, day - 1);
	value_set(p, YEARS, "%02u", years);
	value_set(p, REVIEW_MARK, "%u", year + 3 < 2026);
	if (year + 3 < 2026)
		value_set(p, RECORD_1, "%04u%02u%02u 复审合格", year + 3, month, day - 1);
	value_set(p, MARK, "SL%04u%06u", year, index + 1);
}

static void
name_invent(struct person *p, unsigned index, uint64_t *random)
{
	if (index < COUNT(named)) {
		p->woman = named[index].woman;
		p->age = named[index].age;
		value_set(p, NAME, "%s", named[index].name);
		return;
	}
	p->woman = draw(random, 5) < 2;
	p->age = 22 + draw(random, 37);
	const char *given = p->woman ? given_women[draw(random, COUNT(given_women))]
				     : given_men[draw(random, COUNT(given_men))];
	value_set(p, NAME, "%s%s", surnames[draw(random, COUNT(surnames))], given);
}

/* The odd ones, for whoever reads, prints and writes them. */
static void
edges_apply(struct person *p, unsigned index)
{
	enum { FULL = 3, QUOTED = 8, SPARSE = 14 };
	if (index == FULL) {
		value_set(p, EMPLOYER, "示范省样例市虚构区电力安装总公司");
		value_set(p, EMPLOYER_KIND, "中外合资经营企业");
		value_set(p, ADDRESS, "示范省样例市虚构区云山大道十八号");
		value_set(p, EDUCATION, "研究生学历");
		value_set(p, PHONE, "0100-55501040008");
		value_set(p, SPARE_1, "备用栏写满二十个字节");
		value_set(p, SPARE_4, "ABCDEFGHIJ0123456789");
	} else if (index == QUOTED) {
		value_set(p, SPARE_2, "逗号,与\"引号\"");
	} else if (index == SPARSE) {
		static const uint8_t required[] = {
			NUMBER, NAME, SEX, CATEGORY, ITEM, ISSUER, ISSUE, VALID_FROM, VALID_TO};
		struct person full = *p;
		memset(p->value, 0, sizeof(p->value));
		for (size_t i = 0; i < COUNT(required); i++)
			memcpy(p->value[required[i]], full.value[required[i]], SAMPLE_VALUE_MAX);
	}
}

void
person_invent(struct person *p, unsigned index)
{
	uint64_t random = 20260101u + index;
	const struct trade *t = &trades[index % COUNT(trades)];
	memset(p, 0, sizeof(*p));
	name_invent(p, index, &random);
	number_invent(p, index, t->coal, 2025 - p->age, &random);
	value_set(p, SEX, "%s", p->woman ? "女" : "男");
	value_set(p, EDUCATION, "%s", educations[draw(&random, COUNT(educations))]);
	value_set(p, EMPLOYER, "%s",
		t->coal ? employers[2] : employers[draw(&random, COUNT(employers))]);
	value_set(p, EMPLOYER_KIND, "%s", employer_kinds[draw(&random, COUNT(employer_kinds))]);
	value_set(p, ADDRESS, streets[draw(&random, COUNT(streets))], draw(&random, 200) + 1);
	value_set(p, PHONE, "0100-555%04u", 101 + index);
	value_set(p, CATEGORY, "%s", t->category);
	value_set(p, ITEM, "%s", t->item);
	value_set(p, TRAINER, "%s", trainers[draw(&random, COUNT(trainers))]);
	value_set(p, ISSUER, "%s", t->coal ? "示范省煤矿安全监察局" : "示范省安全生产监督管理局");
	value_set(p, THEORY, "%u", 80 + draw(&random, 20));
	value_set(p, PRACTICE, "%u", 80 + draw(&random, 20));
	dates_invent(p, index, &random);
	edges_apply(p, index);
}
